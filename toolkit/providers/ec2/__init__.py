"""EC2: from an ec2.yml to the instances of a cluster, and back to nothing."""
