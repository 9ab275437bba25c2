# Prints everything of ours, or of a step, that exists on a node. One process, as it is run after each test, and starting
# a process is what takes long under emulation.
use strict;
use warnings;

sub entries {
    my ($folder) = @_;
    opendir my $handle, $folder or return;
    return grep { $_ ne '.' && $_ ne '..' } readdir $handle;
}

sub text {
    my ($file) = @_;
    open my $handle, '<', $file or return '';
    local $/;
    return <$handle> // '';
}

sub below_jobs {
    my ($folder) = @_;
    print "cgroup $folder\n" if $folder =~ m{/job_};
    below_jobs($_) for grep { -d && !-l } map { "$folder/$_" } entries($folder);
}

# What is kept between steps is not left behind.
print "journal $_\n" for grep { !/^(inventory|claims|died|claims\.lock|claiming\.lock|node\.lock)$/ } entries('/run/container-ib');
print "folder $_\n" for entries('/run/container-ib-tasks');
print "claim $_\n"   for entries('/run/container-ib/claims');
below_jobs('/sys/fs/cgroup');

my $systemd = -d '/run/systemd/system';    # it gives its services namespaces of their own
my %nodes   = map { (readlink("/proc/1/ns/$_") // '') => 1 } qw(mnt net);
my (%mounts, %namespaces);
for my $process (map { "/proc/$_" } grep { /^\d+$/ } entries('/proc')) {
    my $command = text("$process/cmdline") =~ s/\0+$//r =~ s/\0/ /gr;
    my $name    = text("$process/comm");
    print "process $process $command\n" if $name =~ /container-ib-ag/ || $name =~ /slurmstepd/ && $command !~ /infinity/;
    my $namespace = readlink("$process/ns/mnt") // next;
    $mounts{$namespace} //= text("$process/mountinfo");
    next if $systemd && text("$process/cgroup") !~ /slurm/;
    my @links = map { readlink($_) // () } "$process/ns/mnt", "$process/ns/net", map { "$process/fd/$_" } entries("$process/fd");
    $namespaces{$_} = 1 for grep { /^(mnt|net):\[/ && !$nodes{$_} } @links;
}
print "namespace $_\n" for sort keys %namespaces;
my %tmpfs = map { $_ => 1 } map { grep { / - tmpfs container-ib / } split /\n/ } values %mounts;
print "mount $_\n" for sort keys %tmpfs;
for (split /\n/, text('/proc/1/mountinfo')) {
    print "namespace kept by mount $_\n" if / - nsfs / && !m{ /run/netns/};
}

# What the agent's table of system calls lacks shows here and perhaps nowhere else. A native node's kernel log is the machine's:
# it has what was before this node, and agents of tests that try what is refused.
my $booted = (split ' ', text('/proc/1/stat') =~ s/.*\)//sr)[19] / 100;
my %refused;
for (`dmesg`) {
    $refused{$2} = 1 if m{^\[ *([0-9.]+)\].*type=1326.*exe="/usr/libexec/container-ib/.*syscall=(\d+)} && $1 > $booted;
}
print "refused system call $_\n" for sort keys %refused;
