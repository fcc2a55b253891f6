//! Giving up what waits in memory for a disk that does not take it, the lightest frames first and of those the oldest,
//! until three quarters of the bound are left; less would have it done over and over. What is on disk stays: it takes no
//! memory.

use std::ops::Range;

use super::frame::HEAD_BYTES;
use super::lane::Lane;
use super::position::Position;
use super::segment::Segment;
use super::weight::Weight;

/// A frame that waits in memory.
struct Waiting {
    /// The index of its segment.
    segment: usize,
    /// Where it is in that segment's memory.
    bytes: Range<usize>,
    /// Where it stands in the journal, and what stands behind it.
    place: (Position, Position),
    weight: Weight,
}

impl Lane {
    /// Brings what waits for the disk within its bound.
    pub(super) fn shed_waiting(&mut self) {
        let waiting: u64 = self.line.segments.iter().map(Segment::memory_bytes).sum();
        if waiting <= self.waiting_bytes_max {
            return;
        }
        let frames = self.waiting();
        let sizes = frames.iter().map(|frame| (frame.weight, frame.bytes.len() as u64));
        let goal = waiting - self.waiting_bytes_max / 4 * 3;
        let given_up = lightest(&sizes.collect::<Vec<_>>(), goal);
        let gone = || frames.iter().zip(&given_up).filter(|(_, gone)| **gone).map(|(frame, _)| frame);
        for index in 0..self.line.segments.len() {
            let ranges: Vec<_> =
                gone().filter(|frame| frame.segment == index).map(|frame| frame.bytes.clone()).collect();
            let before = self.line.segments[index].bytes();
            self.line.segments[index].drop_from_memory(&ranges);
            self.bytes -= before - self.line.segments[index].bytes();
        }
        let mut stretches: Vec<(Position, Position)> = Vec::new();
        for (from, to) in gone().map(|frame| frame.place) {
            match stretches.last_mut().filter(|last| last.1.ordinal() == from.ordinal()) {
                Some(last) => last.1 = to,
                None => stretches.push((from, to)),
            }
        }
        self.lose_ahead(&stretches);
    }

    /// All frames that wait, in the order they were appended.
    fn waiting(&self) -> Vec<Waiting> {
        let mut frames = Vec::new();
        for (index, segment) in self.line.segments.iter().enumerate() {
            for found in segment.scan_memory() {
                let at = segment.base.plus(&found.head.before);
                let frame = found.head.frame;
                let (Ok(start), Ok(end)) = (found.payload.start.try_into(), found.payload.end.try_into())
                else {
                    continue;
                };
                let start: usize = start;
                let place = (at, at.after(frame.signal, u64::from(frame.records)));
                let bytes = start - HEAD_BYTES..end;
                frames.push(Waiting { segment: index, bytes, place, weight: frame.weight });
            }
        }
        frames
    }
}

/// Which of these go, so that at least `goal` bytes do: the lightest, and of those the first.
fn lightest(frames: &[(Weight, u64)], goal: u64) -> Vec<bool> {
    let mut bytes = [0_u64; Weight::COUNT];
    frames.iter().for_each(|(weight, size)| bytes[*weight as usize] += size);
    let mut left = goal;
    let quotas = bytes.map(|bytes| {
        let quota = left.min(bytes);
        left -= quota;
        quota
    });
    let mut taken = [0_u64; Weight::COUNT];
    let goes = frames.iter().map(|(weight, size)| {
        let taken = &mut taken[*weight as usize];
        let goes = *taken < quotas[*weight as usize];
        *taken += if goes { *size } else { 0 };
        goes
    });
    goes.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lightest_go_first_and_of_those_the_oldest() {
        use Weight::{Debug, Error, Info, Metric};
        let frames = [(Error, 10), (Debug, 5), (Info, 5), (Debug, 5), (Metric, 1), (Info, 5), (Error, 10)];
        let table: [(u64, &[usize]); 8] = [
            (0, &[]),
            (1, &[1]),
            (5, &[1]),
            (6, &[1, 3]),
            (11, &[1, 2, 3]),
            (21, &[1, 2, 3, 4, 5]),
            (22, &[0, 1, 2, 3, 4, 5]),
            (1000, &[0, 1, 2, 3, 4, 5, 6]),
        ];
        for (goal, gone) in table {
            let goes = lightest(&frames, goal);
            let found: Vec<usize> = (0..frames.len()).filter(|i| goes[*i]).collect();
            assert_eq!(found, gone, "{goal} bytes");
        }
    }
}
