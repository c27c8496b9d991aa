#!/bin/sh
# What common baselines ask of a Debian host (CIS benchmarks; the rules of devsec.hardening), for the scenario
# of a hardened host. Run as root. Kernel settings that are not a container's own are written, not applied:
# they would be those of the machine underneath.
set -eu

# Files that are made from here on are closed to others, whoever makes them, by whichever way.
sed -Ei 's/^UMASK.*/UMASK 027/; s/^(USERGROUPS_ENAB).*/\1 no/
         s/^(PASS_MAX_DAYS).*/\1 60/; s/^(PASS_MIN_DAYS).*/\1 7/' /etc/login.defs
for service in common-session common-session-noninteractive sudo; do
    echo 'session optional pam_umask.so umask=0027' >> /etc/pam.d/$service
done
echo 'umask 027' | tee -a /etc/bash.bashrc > /etc/profile.d/umask.sh
echo 'readonly TMOUT=900; export TMOUT' > /etc/profile.d/timeout.sh

# Accounts: no shell and an end for those of the system, closed homes, su for a group of its own.
useradd -D -f 30
while IFS=: read -r name _ uid _; do
    [ "$uid" -gt 0 ] && [ "$uid" -lt 1000 ] || continue
    usermod -s /usr/sbin/nologin -L "$name"
    chage -m 7 -M 60 "$name"
done < /etc/passwd
chmod 0700 /root /home/*
groupadd -f wheel
sed -i '1i auth sufficient pam_rootok.so\nauth required pam_wheel.so use_uid group=wheel' /etc/pam.d/su
cat > /etc/security/limits.d/10-hardening.conf <<'END'
* hard core 0
* soft core 0
* hard maxlogins 10
END
mkdir -p /etc/systemd/coredump.conf.d
printf '[Coredump]\nStorage=none\nProcessSizeMax=0\n' > /etc/systemd/coredump.conf.d/off.conf

# sudo
cat > /etc/sudoers.d/zz-hardening <<'END'
Defaults use_pty
Defaults env_reset
Defaults !visiblepw
Defaults umask=0027
Defaults umask_override
Defaults timestamp_timeout=5
Defaults logfile=/var/log/sudo.log
Defaults secure_path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
END
chmod 0440 /etc/sudoers.d/zz-hardening
visudo -cqf /etc/sudoers

# Kernel
cat > /etc/sysctl.d/99-hardening.conf <<'END'
fs.protected_fifos = 2
fs.protected_hardlinks = 1
fs.protected_regular = 2
fs.protected_symlinks = 1
fs.suid_dumpable = 0
kernel.core_uses_pid = 1
kernel.dmesg_restrict = 1
kernel.kptr_restrict = 2
kernel.randomize_va_space = 2
kernel.sysrq = 0
kernel.yama.ptrace_scope = 1
net.ipv4.conf.all.accept_redirects = 0
net.ipv4.conf.all.accept_source_route = 0
net.ipv4.conf.all.log_martians = 1
net.ipv4.conf.all.rp_filter = 1
net.ipv4.conf.all.secure_redirects = 0
net.ipv4.conf.all.send_redirects = 0
net.ipv4.icmp_echo_ignore_broadcasts = 1
net.ipv4.ip_forward = 0
net.ipv4.tcp_syncookies = 1
net.ipv4.tcp_timestamps = 0
net.ipv6.conf.all.accept_ra = 0
net.ipv6.conf.all.accept_redirects = 0
net.ipv6.conf.all.disable_ipv6 = 1
END
grep '^net\.' /etc/sysctl.d/99-hardening.conf | sysctl -qe -p - || true

# Mounts
options=nosuid,nodev,noexec
mount -t tmpfs -o "mode=1777,$options" tmpfs /tmp
mount --bind /var/tmp /var/tmp
mount -o "remount,bind,$options" /var/tmp
mount -o "remount,$options" /dev/shm
mount -o remount,hidepid=2 /proc

# Files
find / -xdev -type f -perm -0002 -exec chmod o-w {} +
find /var/log -type f -exec chmod g-wx,o-rwx {} +
chmod go-w /usr/local/sbin /usr/local/bin /usr/sbin /usr/bin /sbin /bin
chmod 0640 /etc/shadow /etc/gshadow
for program in as c++ cc g++ gcc ld make; do
    found=$(command -v $program) && chmod 0750 "$(readlink -f "$found")"
done
for program in wall write chage newgrp chsh chfn mount umount; do
    found=$(command -v $program) && chmod ug-s "$found"
done
for kind in cron at; do
    echo root > /etc/$kind.allow
    rm -f /etc/$kind.deny
    chmod 0600 /etc/$kind.allow
done

# sshd
echo 'Authorized use only. All activity is recorded.' | tee /etc/issue > /etc/issue.net
sed -i '/^Subsystem/d; /^AcceptEnv/d' /etc/ssh/sshd_config
cat > /etc/ssh/sshd_config.d/00-hardening.conf <<'END'
PermitRootLogin no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitEmptyPasswords no
AuthenticationMethods publickey
AllowUsers admin
MaxAuthTries 2
MaxSessions 10
MaxStartups 10:30:60
LoginGraceTime 30
ClientAliveInterval 300
ClientAliveCountMax 3
TCPKeepAlive no
Compression no
AllowTcpForwarding no
AllowAgentForwarding no
AllowStreamLocalForwarding no
GatewayPorts no
PermitTunnel no
X11Forwarding no
PermitUserEnvironment no
StrictModes yes
UsePAM yes
UseDNS no
PrintMotd no
PrintLastLog no
Banner /etc/issue.net
LogLevel VERBOSE
HostKey /etc/ssh/ssh_host_ed25519_key
KexAlgorithms sntrup761x25519-sha512@openssh.com,curve25519-sha256@libssh.org,diffie-hellman-group-exchange-sha256
Ciphers chacha20-poly1305@openssh.com,aes256-gcm@openssh.com,aes128-gcm@openssh.com,aes256-ctr
MACs hmac-sha2-512-etm@openssh.com,hmac-sha2-256-etm@openssh.com
END
sshd -t
# Not a reload, in which nobody listens for a moment.
systemctl restart ssh
