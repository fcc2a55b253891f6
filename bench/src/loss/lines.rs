//! The sink of those who write: lines go to the collector over a connection of their own, as they would to a file or a
//! pipe, and what is wrong with the sink is wrong with this.

use std::io::{self, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::case::Mode;

/// What the collector knows such a connection by.
pub const GREETING: &[u8] = b"LINES\n";

/// A place to write lines to. Clones write to the same.
#[derive(Clone)]
pub struct Lines(Arc<Mutex<State>>);

struct State {
    port: u16,
    mode: Mode,
    /// When the sink is well again, where it is unwell for a time.
    well_at: Option<Instant>,
    to: Option<TcpStream>,
}

impl Lines {
    /// To the collector at this port, as a sink that does this, for a time or for good.
    pub fn new(port: u16, mode: Mode, outage: Option<Duration>) -> Lines {
        let well_at = outage.map(|outage| Instant::now() + outage);
        Lines(Arc::new(Mutex::new(State { port, mode, well_at, to: None })))
    }
}

impl State {
    fn mode(&self) -> Mode {
        if self.well_at.is_some_and(|at| at <= Instant::now()) { Mode::Takes } else { self.mode }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self.mode() {
            Mode::Takes => {}
            Mode::Slow => {
                let lines = bytes.iter().filter(|byte| **byte == b'\n').count();
                thread::sleep(Duration::from_millis(lines as u64));
            }
            Mode::Refuses => return Err(io::Error::other("refused")),
            Mode::Gone => return Err(io::ErrorKind::ConnectionRefused.into()),
            Mode::Hangs => {
                let well_at = self.well_at.unwrap_or_else(Instant::now);
                thread::sleep(well_at.saturating_duration_since(Instant::now()));
            }
        }
        if self.to.is_none() {
            let mut to = TcpStream::connect(("127.0.0.1", self.port))?;
            to.write_all(GREETING)?;
            self.to = Some(to);
        }
        self.to.as_mut().map_or(Ok(()), |to| to.write_all(bytes))
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.0.lock().map_err(|_| io::Error::other("a writer panicked"))?;
        state.write(bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
