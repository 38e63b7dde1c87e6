//! How much memory the control groups of this process leave it, by the files of version 1 and 2.

/// Bytes that may still be used before the tightest limit on the way up the hierarchy; what the kernel can reclaim at once
/// counts as free. None without limits, or where they cannot be read.
pub(super) fn available(read: &dyn Fn(&str) -> Option<String>) -> Option<u64> {
    let groups = read("/proc/self/cgroup")?;
    groups.lines().filter_map(|line| of_line(line, read)).min()
}

/// A line is `number:controllers:path`; version 2 has no controllers.
fn of_line(line: &str, read: &dyn Fn(&str) -> Option<String>) -> Option<u64> {
    let mut fields = line.splitn(3, ':').skip(1);
    let (controllers, path) = (fields.next()?, fields.next()?);
    let files = match controllers {
        "" => &V2,
        some if some.split(',').any(|one| one == "memory") => &V1,
        _ => return None,
    };
    // In a container the path may be that of the host, and what is mounted is the group itself: the last step asks it.
    let mut path = path.trim_end_matches('/');
    let mut least = None;
    loop {
        let left = files.left(&format!("{}{path}", files.mount), read);
        least = [least, left].into_iter().flatten().min();
        match path.rsplit_once('/') {
            Some((above, _)) => path = above,
            None => return least,
        }
    }
}

struct Files {
    mount: &'static str,
    limit: &'static str,
    usage: &'static str,
    reclaimable: &'static str,
}

const V2: Files = Files {
    mount: "/sys/fs/cgroup",
    limit: "memory.max",
    usage: "memory.current",
    reclaimable: "inactive_file ",
};

const V1: Files = Files {
    mount: "/sys/fs/cgroup/memory",
    limit: "memory.limit_in_bytes",
    usage: "memory.usage_in_bytes",
    reclaimable: "total_inactive_file ",
};

impl Files {
    /// What one group leaves. Without a limit version 2 says `max`, version 1 a number beyond all memory.
    fn left(&self, group: &str, read: &dyn Fn(&str) -> Option<String>) -> Option<u64> {
        let number = |file: &str| read(&format!("{group}/{file}"))?.trim().parse::<u64>().ok();
        let (limit, usage) = (number(self.limit)?, number(self.usage)?);
        let stat = read(&format!("{group}/memory.stat")).unwrap_or_default();
        let reclaimable = stat
            .lines()
            .find_map(|line| line.strip_prefix(self.reclaimable));
        let reclaimable = reclaimable.and_then(|bytes| bytes.trim().parse::<u64>().ok());
        Some(limit.saturating_sub(usage.saturating_sub(reclaimable.unwrap_or(0))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(files: &[(&str, &str)]) -> Option<u64> {
        available(&|path: &str| {
            let file = files.iter().find(|(name, _)| *name == path)?;
            Some(file.1.to_owned())
        })
    }

    #[test]
    fn the_tightest_limit_above_counts() {
        let files = [
            ("/proc/self/cgroup", "0::/a/b\n"),
            ("/sys/fs/cgroup/a/b/memory.max", "max\n"),
            ("/sys/fs/cgroup/a/b/memory.current", "10\n"),
            ("/sys/fs/cgroup/a/memory.max", "1000\n"),
            ("/sys/fs/cgroup/a/memory.current", "900\n"),
            (
                "/sys/fs/cgroup/a/memory.stat",
                "anon 800\ninactive_file 50\n",
            ),
        ];
        assert_eq!(left(&files), Some(150));
    }

    #[test]
    fn a_container_sees_its_own_group_as_the_root() {
        let files = [
            (
                "/proc/self/cgroup",
                "12:cpu:/x\n4:memory:/docker/123\n0::/\n",
            ),
            ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "4096\n"),
            ("/sys/fs/cgroup/memory/memory.usage_in_bytes", "5000\n"),
            (
                "/sys/fs/cgroup/memory/memory.stat",
                "total_inactive_file 1000\n",
            ),
        ];
        assert_eq!(left(&files), Some(96));
    }

    #[test]
    fn without_limits_there_are_none() {
        assert_eq!(left(&[]), None);
        assert_eq!(left(&[("/proc/self/cgroup", "0::/\nnonsense\n::\n")]), None);
    }
}
