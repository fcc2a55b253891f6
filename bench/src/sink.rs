//! Where everything is written: nowhere, counted.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How long a queue may make no progress before it is taken for empty. Only what comes after is measured by it.
const STILL: Duration = Duration::from_millis(100);

/// Counts the lines that are written to it and forgets them.
#[derive(Clone, Default)]
pub struct Lines(Arc<AtomicU64>);

impl Lines {
    /// Lines written so far.
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// One more.
    pub fn add(&self, lines: u64) {
        self.0.fetch_add(lines, Ordering::Relaxed);
    }

    /// Waits until `done`, or until nothing has been written for a while.
    pub fn settle(&self, done: impl Fn(u64) -> bool) {
        let (mut seen, mut since) = (self.count(), Instant::now());
        while !done(seen) && since.elapsed() < STILL {
            thread::sleep(Duration::from_micros(200));
            let now = self.count();
            if now != seen {
                (seen, since) = (now, Instant::now());
            }
        }
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let lines = bytes.iter().filter(|byte| **byte == b'\n').count();
        self.add(lines as u64);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
