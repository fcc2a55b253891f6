//! Where the journal is, how much it may hold, and what survives what.

use std::path::PathBuf;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// What is safe against what, once a macro's record has reached the journal in a state directory.
///
/// | | the process is killed or aborts | the machine loses power or its kernel panics |
/// |---|---|---|
/// | [`Durability::ProcessCrash`] | nothing is lost | what the system had not written yet is lost, by itself some 30 s |
/// | [`Durability::PowerLoss`] | nothing is lost | the last `every` is lost; what was delivered in it is sent again |
///
/// Without a state directory everything goes with the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// Records are handed to the system, which writes them when it sees fit. Costs nothing more.
    #[default]
    ProcessCrash,
    /// Beside that, segments, cursors and their folders are synced this often, by a thread of their own. Nothing else
    /// waits for the medium. A segment that all backends have passed stays until their cursors are synced, so no loss is
    /// reported of what was delivered.
    PowerLoss {
        /// How often. At least 1 ms; each round costs some writes of the medium, whatever they hold.
        every: Duration,
    },
}

/// Where the journal is and how much it may hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The state directory; memory if there is none.
    pub dir: Option<PathBuf>,
    /// Bytes of all segments of logs, metrics, configurations and checks. 64 MiB in memory and 1 GiB on disk unless set.
    pub bytes_max: u64,
    /// How old a frame may become. 14 days unless set, which is as far back as PutLogEvents and PutMetricData take
    /// events and values (API references of both).
    pub age_max: Duration,
    /// The same for audit records: 16 MiB in memory and 256 MiB on disk unless set.
    pub audit_bytes_max: u64,
    /// How old an audit record may become: 90 days unless set. A service that does not take it that late refuses it, and
    /// then it is kept among the dead letters.
    pub audit_age_max: Duration,
    /// Bytes of one segment; at most an eighth of what its lane may hold. 8 MiB unless set.
    pub segment_bytes_max: u64,
    /// What survives what.
    pub durability: Durability,
}

impl Settings {
    /// The defaults: on disk if there is a state directory, in memory if not.
    #[must_use]
    pub fn new(dir: Option<PathBuf>) -> Settings {
        let on_disk = dir.is_some();
        Settings {
            dir,
            bytes_max: if on_disk { 1 << 30 } else { 64 << 20 },
            age_max: 14 * DAY,
            audit_bytes_max: if on_disk { 256 << 20 } else { 16 << 20 },
            audit_age_max: 90 * DAY,
            segment_bytes_max: 8 << 20,
            durability: Durability::ProcessCrash,
        }
    }
}
