//! From what threads counted to records: cells of one series over all threads become one metric. Knows nothing of disk
//! or network, and never reads the clock.

mod window;

pub(crate) use self::window::Window;
