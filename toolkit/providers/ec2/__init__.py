"""EC2: from an ec2.yml to the instances of a cluster, and back to nothing."""

from toolkit.providers.provider import Provider

EC2 = Provider(file="ec2.yml", up="toolkit ec2 up -i DIRECTORY")
