//! How much CPU time the process has used. On Linux the kernel says; elsewhere nobody is asked, and a process is taken
//! to use one core.

use std::time::Duration;

use crate::clock::Now;

/// The unit of `/proc/self/stat`: `USER_HZ`, which is 100 on every architecture that Rust has a Linux target for (see
/// proc_pid_stat(5) and `sysconf(_SC_CLK_TCK)`).
const TICK: Duration = Duration::from_millis(10);

/// CPU time of all threads of the process so far, in user and kernel mode; of one core since the clock's zero where the
/// system does not say.
pub(super) fn used(now: Now) -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").ok();
    stat.as_deref().and_then(parse).unwrap_or(Duration::from_nanos(now.mono_ns))
}

/// The sum of fields 14 and 15. The name of the program, in parentheses, may hold anything.
fn parse(stat: &str) -> Option<Duration> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<u32>().ok();
    Some(TICK * next()?.saturating_add(next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_system_time_are_read_whatever_the_program_is_called() {
        let stat = "12 (a) b (c) S 1 12 12 0 -1 4194304 1 2 3 4 250 50 0 0 20 0 1 0 5 6 7";
        assert_eq!(parse(stat), Some(Duration::from_secs(3)));
        assert_eq!(parse("12 (a"), None);
        assert_eq!(parse("12 (a) S 1"), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn time_that_passes_in_work_is_seen() {
        let start = used(Now::read());
        let mut n = 0u64;
        while used(Now::read()) < start + 3 * TICK {
            n = std::hint::black_box(n + 1);
        }
        assert!(n > 0);
    }
}
