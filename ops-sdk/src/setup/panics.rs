//! Panics, where a program asked for it: each becomes an error event with its message, place and thread, and with the
//! correlation that the thread works for; then the hook runs that was there before. The event is in the arena before
//! unwinding begins, and so, with a state directory, outlives a process whose panics abort. Off unless asked, because a
//! library takes no hooks.

use std::panic::{self, PanicHookInfo};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::model::Level;
use crate::record::system::fork;
use crate::record::{Arg, Kind, Piece, Site, Source, enabled, event};

static SITE: Site = Site::new(
    Kind::Event(Level::Error),
    "thread {thread} panicked at {panic_file}:{panic_line}: {panic}",
    Source { target: "ops_sdk", file: file!(), line: line!() },
)
.keys(&["thread", "panic_file", "panic_line", "panic"])
.pieces(&[
    Piece::Text("thread "),
    Piece::Value(0),
    Piece::Text(" panicked at "),
    Piece::Value(1),
    Piece::Text(":"),
    Piece::Value(2),
    Piece::Text(": "),
    Piece::Value(3),
]);

/// Whether the guard that lives asked for it. The hook stays once it is there: another may have been set over it.
static ASKED: AtomicBool = AtomicBool::new(false);

/// Records panics while this lives.
#[derive(Debug)]
pub(super) struct Hook {
    generation: u32,
}

/// Begins to record panics, until what is returned is dropped.
pub(super) fn hook() -> Hook {
    static SET: Once = Once::new();
    SET.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            record(info);
            before(info);
        }));
    });
    ASKED.store(true, Ordering::Relaxed);
    Hook { generation: fork::generation() }
}

impl Drop for Hook {
    fn drop(&mut self) {
        // A child of `fork` may have asked for itself since.
        if self.generation == fork::generation() {
            ASKED.store(false, Ordering::Relaxed);
        }
    }
}

fn record(info: &PanicHookInfo<'_>) {
    if !ASKED.load(Ordering::Relaxed) || !enabled(&SITE, Level::Error) {
        return;
    }
    let thread = std::thread::current();
    let (file, line) = info.location().map_or(("", 0), |place| (place.file(), place.line()));
    let values = [
        Arg::Str(thread.name().unwrap_or("without a name")),
        Arg::Str(file),
        Arg::U64(line.into()),
        Arg::Str(message(info)),
    ];
    event(&SITE, &values);
}

/// What `panic!` was told; a payload that is no text has none.
fn message<'a>(info: &'a PanicHookInfo<'_>) -> &'a str {
    let payload = info.payload();
    let owned = || payload.downcast_ref::<String>().map(String::as_str);
    payload.downcast_ref::<&str>().copied().or_else(owned).unwrap_or("a value that is no text")
}
