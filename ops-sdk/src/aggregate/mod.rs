//! From what threads wrote to records: cells of one series over all threads become one metric, an event's values
//! and its site become one log. Knows nothing of disk or network, and never reads the clock.

mod event;
mod window;

pub(crate) use self::event::log;
pub(crate) use self::window::Window;
