//! What is recorded, in the SDK's own terms: neutral records that any backend can encode. Strings are borrowed from
//! the journal's frame where they can be, so that a ship thread copies a record once, into its push.

mod distribution;
mod log;
mod metric;
mod other;
mod record;
mod unit;
mod value;

pub(crate) use self::distribution::index_of_positive;
pub use self::distribution::{Distribution, bucket_of, lower_bound};
pub use self::log::{CORRELATION_ID, Level, Log, SPAN_ID};
pub use self::metric::{Metric, Points, Resolution, VALUE_LIMIT, is_valid_value};
pub use self::other::{Audit, Check, CheckStatus, Config};
pub use self::record::{Body, Record, RecordId};
pub use self::unit::Unit;
pub use self::value::{Fields, Value};
pub use crate::signal::Signal;
