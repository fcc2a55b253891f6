//! The arena of a process that is dead, read from the file that it was kept in: the events that nobody took, and what was
//! counted and not taken.
//!
//! Trusts nothing that it reads: a file that lost power may hold anything. Whatever the bytes are, reading ends, and
//! what cannot be read is counted where its number is known.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

use super::arena::{Head, MAGIC, Offset, UNIT};
use super::cell::{CellHead, CounterCell, DeadHead, EXTREME_TO_OPEN, GaugeCell, HistogramCell};
use super::frame::Frame;
use super::losses::Lost;
use super::reader::Taken;
use super::taking::Left;
use super::told::Dead;
use super::{Kind, Site, catalog, keep, lane, losses, overflow, series, shelf};
use crate::clock::Ticks;
use crate::model::Resolution;

/// The bytes of the file. What lies outside of them is zero, which is valid everywhere and says that nothing is there.
pub(super) struct Bytes(Vec<u8>);

impl Bytes {
    /// Where something lies that an arena gave out.
    pub(super) fn place(offset: Offset) -> usize {
        offset as usize * UNIT
    }

    pub(super) fn long(&self, at: usize) -> u64 {
        self.0.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u64::from_le_bytes(*bytes))
    }

    pub(super) fn short(&self, at: usize) -> u32 {
        self.0.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u32::from_le_bytes(*bytes))
    }

    /// So many bytes; none if not all of them are there.
    pub(super) fn slice(&self, at: usize, len: usize) -> &[u8] {
        at.checked_add(len).and_then(|end| self.0.get(at..end)).unwrap_or_default()
    }

    pub(super) fn set_long(&mut self, at: usize, value: u64) {
        self.set(at, value.to_le_bytes());
    }

    pub(super) fn set_short(&mut self, at: usize, value: u32) {
        self.set(at, value.to_le_bytes());
    }

    fn set<const N: usize>(&mut self, at: usize, value: [u8; N]) {
        if let Some(place) = self.0.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
            *place = value;
        }
    }

    /// Makes one of the extremes of a window reach as far as it did before as well: what stands there now is that of
    /// the values which came since, if any did.
    pub(super) fn widen(&mut self, at: usize, was: f64, is_most: bool) {
        let now = f64::from_bits(self.long(at));
        let has_more = self.short(at + EXTREME_TO_OPEN[usize::from(is_most)]) != 0;
        let both = match (has_more, is_most) {
            (false, _) => was,
            (true, false) => was.min(now),
            (true, true) => was.max(now),
        };
        self.set_long(at, both.to_bits());
    }

    /// The places of a list whose members each know the next one at `next_at`.
    pub(super) fn list(&self, first: Offset, next_at: usize) -> Vec<usize> {
        let at = |offset: Offset| Some(Bytes::place(offset)).filter(|at| offset != 0 && *at < self.0.len());
        let members = std::iter::successors(at(first), |member| at(self.short(member + next_at)));
        // Each takes a line at least: more members than lines are a list that goes round.
        members.take(self.0.len() / 64).collect()
    }
}

/// What a file was that an arena should be in.
pub(crate) enum Found {
    /// An arena that can be read.
    Arena(Box<Remains>),
    /// One that another build of the SDK has laid out otherwise.
    Foreign,
    /// No arena at all.
    Nothing,
}

/// What is left of a process.
pub(crate) struct Remains {
    bytes: Bytes,
    told: Dead,
    left: Left,
    is_final: bool,
    sites: HashMap<u32, &'static Site>,
}

/// An event that nobody took.
pub(crate) struct Event<'a> {
    pub(crate) site: &'static Site,
    pub(crate) ticks: Ticks,
    pub(crate) values: &'a [u8],
}

impl Remains {
    /// Reads the file.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub(crate) fn read(file: &mut File) -> io::Result<Found> {
        let mut bytes = vec![0; size_of::<Head>()];
        file.seek(SeekFrom::Start(0))?;
        let len = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
        if len < bytes.len() {
            return Ok(Found::Nothing);
        }
        file.read_exact(&mut bytes)?;
        let head = Bytes(bytes);
        if head.long(Head::MAGIC_AT) != MAGIC {
            return Ok(Found::Nothing);
        }
        if head.long(Head::FORM_AT) != keep::FORM {
            return Ok(Found::Foreign);
        }
        let used = usize::try_from(head.long(Head::USED_AT)).unwrap_or(usize::MAX).clamp(head.0.len(), len);
        let mut bytes = head.0;
        file.take((used - bytes.len()) as u64).read_to_end(&mut bytes)?;
        Ok(Found::Arena(Box::new(Remains::of(Bytes(bytes)))))
    }

    /// Reads everything that bytes say which are taken for an arena, with a journal that ends at `last`; says how many
    /// events, series and losses that were.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn probe(bytes: Vec<u8>, last: Option<u64>) -> [usize; 3] {
        let mut remains = Remains::of(Bytes(bytes));
        remains.decide(last);
        let events = remains.events().0.len() + remains.held().len();
        let series =
            [Resolution::Standard, Resolution::High].map(|resolution| remains.metrics(resolution).count());
        let told = remains.told();
        let _ = (told.unix_ns(u64::MAX), told.unix_ns(0), told.window_ms(Resolution::High), told.died_ns());
        [events, series.iter().sum(), remains.losses().len()]
    }

    fn of(bytes: Bytes) -> Remains {
        let told = Dead::read(&bytes, Head::TOLD_AT);
        let left = Left::read(&bytes, Head::TAKING_AT);
        Remains { bytes, told, left, is_final: true, sites: HashMap::new() }
    }

    /// Whose they are.
    pub(crate) fn told(&self) -> &Dead {
        &self.told
    }

    /// Decides what becomes of the taking that went on, by the number of the last record that the journal has of this
    /// process, and writes to the file what was decided. Says the number of the first record that is to be made of what
    /// is left: what the journal has from there on is to be cut off.
    ///
    /// # Errors
    ///
    /// What the system says. Nothing is decided, then.
    pub(crate) fn settle(&mut self, file: &mut File, last: Option<u64>) -> io::Result<u64> {
        let (at, word) = self.left.decided(self.left.is_final(last), Head::TAKING_AT);
        file.seek(SeekFrom::Start(at as u64))?;
        file.write_all(&word.to_le_bytes())?;
        Ok(self.decide(last))
    }

    /// The same, and nothing is written.
    fn decide(&mut self, last: Option<u64>) -> u64 {
        self.is_final = self.left.is_final(last);
        if !self.is_final {
            Left::undo(&mut self.bytes, Head::TAKING_AT);
        }
        self.sites = catalog::dead(&self.bytes, self.bytes.short(Head::SITES_AT)).into_iter().collect();
        if self.is_final { self.left.next } else { self.left.first }
    }

    /// The events that were held back because their unit of work had not ended, in the order they came.
    pub(crate) fn held(&self) -> Vec<Event<'_>> {
        let mut held = Vec::new();
        let is_final = |taking| taking < self.left.number || self.is_final;
        shelf::dead(&self.bytes, Head::SHELF_AT, is_final, |frame| held.extend(self.event(frame)));
        held
    }

    /// The events that nobody took, in order of time, and how many there were besides that cannot be read.
    pub(crate) fn events(&self) -> (Vec<Event<'_>>, u64) {
        let (mut events, mut damaged) = (Vec::new(), 0);
        let mut add = |frame| self.event(frame).map(|event| events.push(event)).is_some();
        for lane in lane::dead(&self.bytes, self.bytes.short(Head::LANES_AT)) {
            let taken = if self.is_final { lane.taking } else { lane.taken };
            let mut read = 0;
            for mut rest in lane.ring {
                while let Some((frame, after)) = Frame::split(rest) {
                    read += u64::from(frame.seq > taken && add(frame));
                    rest = after;
                }
            }
            // The last one may have been counted by the thread and not yet shown: its macro did not return.
            damaged += lane.seq.saturating_sub(taken).saturating_sub(read + 1);
        }
        let is_final = |taking| taking < self.left.number || self.is_final;
        overflow::dead(&self.bytes, Head::QUEUE_AT, is_final, |frame| damaged += u64::from(!add(frame)));
        events.sort_by_key(|event| event.ticks);
        (events, damaged)
    }

    fn event<'a>(&'a self, frame: Frame<'a>) -> Option<Event<'a>> {
        let site = *self.sites.get(&frame.site)?;
        Some(Event { site, ticks: frame.ticks, values: frame.value_bytes() })
    }

    /// What cells held that was not taken, of sites with this resolution.
    pub(crate) fn metrics(
        &self,
        resolution: Resolution,
    ) -> impl Iterator<Item = (&'static Site, Vec<String>, Taken)> {
        let lanes = lane::dead(&self.bytes, self.bytes.short(Head::LANES_AT));
        let cells = lanes.into_iter().flat_map(|lane| self.bytes.list(lane.cells, CellHead::NEXT_AT));
        cells.filter_map(move |at| {
            let head = DeadHead::read(&self.bytes, at);
            let site = *self.sites.get(&head.site()).filter(|site| site.resolution == resolution)?;
            Some((site, series::dead_labels(&self.bytes, &head), self.cell(site.kind, at)?))
        })
    }

    fn cell(&self, kind: Kind, at: usize) -> Option<Taken> {
        match kind {
            Kind::Counter => Some(CounterCell::dead(&self.bytes, at)).filter(|n| *n > 0).map(Taken::Counter),
            Kind::Gauge => GaugeCell::dead(&self.bytes, at).map(Taken::Gauge),
            Kind::Histogram | Kind::Event(_) => {
                let values =
                    HistogramCell::dead(&self.bytes, at).values.filter(|(values, _)| values.count > 0);
                values.map(|(values, _)| Taken::Histogram(values))
            }
            Kind::Call => {
                let cell = HistogramCell::dead(&self.bytes, at);
                Taken::calls(cell.values, cell.untimed, cell.endings)
            }
        }
    }

    /// What the process had lost and not said.
    pub(crate) fn losses(&self) -> Vec<Lost> {
        losses::dead(&self.bytes, Head::LOSSES_AT)
    }
}

#[cfg(test)]
pub(super) mod tests;
