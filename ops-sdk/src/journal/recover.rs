//! What earlier processes left in a state directory. Of a segment that was sealed the header and the footer are read; of
//! one that was not, or whose footer is damaged, every frame. So opening takes as long as there are segments, however
//! much they hold, and what is damaged inside a sealed one is found, and counted, when it is read.

use std::io;
use std::path::Path;

use super::disk::{DiskFile, How, Store};
use super::folders::Folders;
use super::footer::{FOOTER_BYTES, Footer};
use super::frame::{HEADER_BYTES, Header, parse_header};
use super::line::Line;
use super::lock::path_error;
use super::position::{Position, Tally};
use super::scan::{Scan, Source};
use super::segment::{Segment, Times, ordinal_of};
use super::slot;
use crate::error::Error;
use crate::ledger::Loss;
use crate::model::Signal;

/// What was found when the journal was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Opened {
    /// Records in whole frames, and in segments that were sealed: what is damaged in those is found when they are read.
    pub records: u64,
    /// Records that stood between or after these and cannot be read. Each backend that had not passed them is told so
    /// when it comes to them.
    pub damaged_records: u64,
    /// Bytes after the last frame that were no whole frame, as a process leaves them that is killed while it
    /// writes. They are cut off.
    pub torn_bytes: u64,
}

impl Opened {
    /// What was found in two lanes.
    pub(super) fn and(self, other: Opened) -> Opened {
        Opened {
            records: self.records + other.records,
            damaged_records: self.damaged_records + other.damaged_records,
            torn_bytes: self.torn_bytes + other.torn_bytes,
        }
    }
}

/// What is known of one segment.
struct Survey {
    header: Header,
    /// Its footer, if that is whole.
    footer: Option<Footer>,
    /// Records in whole frames.
    records: u64,
    /// Records of each kind up to and with the last that has a whole head.
    last: Tally<u32>,
    /// Where that one ends.
    frames_end: u64,
    /// Bytes behind it that are neither a frame nor room for one.
    torn_bytes: u64,
    times: Times,
    /// What the system said when some of it could not be read.
    failed: Option<io::Error>,
}

/// Reads the segments of a lane, and how far backends had come in it.
pub(super) fn recover(folders: &Folders, commonest: Signal) -> Result<(Line, Opened), Error> {
    let (mut line, mut opened) = (Line::default(), Opened::default());
    let mut files = segment_files(folders)?;
    files.sort_by_key(|(ordinal, _)| *ordinal);
    let (count, last) = (files.len(), files.len().saturating_sub(1));
    let begun = files.last().map_or(0, |(ordinal, _)| *ordinal);
    for (index, (ordinal, store)) in files.into_iter().enumerate() {
        let mut survey = survey(&store, ordinal)?;
        if let Some(error) = survey.failed.take_if(|_| index == last && survey.times.is_none()) {
            // Its place cannot be used again, and what it holds is not known.
            return Err(read_error(&store.path, error));
        }
        opened.records += survey.records;
        if index == last {
            opened.torn_bytes = survey.torn_bytes;
        }
        add(&mut line, ordinal, store, &survey, commonest, index == last);
    }
    // So much had been there when the last segment began. Cursors know of which kinds, and only where they do not it is
    // a guess.
    let end = furthest(folders, line.end)?;
    let end = end.guess(begun, commonest);
    if count > 0 && line.end.is_before(&end) {
        line.segments.push_back(Segment::gone(line.end, Loss::Damaged));
    }
    line.end = end;
    settle_guesses(&mut line);
    let stood = line.end.ordinal() - line.start().ordinal();
    opened.damaged_records = stood.saturating_sub(opened.records);
    Ok((line, opened))
}

fn segment_files(folders: &Folders) -> Result<Vec<(u64, Store)>, Error> {
    let names = folders.disk.names(&folders.segments).map_err(|source| {
        path_error("read", &folders.segments, "give a directory that this user may read", source)
    })?;
    Ok(names.iter().filter_map(|name| Some((ordinal_of(name)?, folders.segment(name)))).collect())
}

fn survey(store: &Store, ordinal: u64) -> Result<Survey, Error> {
    let fail = |source| read_error(&store.path, source);
    let file = store.open(How::Read).map_err(fail)?;
    let bytes = file.len().map_err(fail)?;
    let mut start = [0; HEADER_BYTES];
    let read = file.read_at(0, &mut start).map_err(fail)?;
    let header = parse_header(&start[..read]);
    if let Header::Foreign(version) = header {
        let problem = io::Error::other(format!("written in form {version} by another version of the SDK"));
        return Err(path_error("read", &store.path, "give another directory, or run that version", problem));
    }
    if let Some(footer) = footer(file.as_ref(), bytes, ordinal).map_err(fail)? {
        let records = footer.records.iter().map(|n| u64::from(*n)).sum();
        let (last, frames_end, times) = (footer.records, footer.frames_end, footer.times);
        let (footer, torn_bytes, failed) = (Some(footer), 0, None);
        return Ok(Survey { header, footer, records, last, frames_end, torn_bytes, times, failed });
    }
    Ok(walk(header, bytes, Scan::new(Source::new(Some(file), bytes, &[]), ordinal)))
}

fn read_error(path: &Path, source: io::Error) -> Error {
    path_error("read", path, "give a directory whose files this user may read", source)
}

fn footer(file: &dyn DiskFile, bytes: u64, ordinal: u64) -> io::Result<Option<Footer>> {
    let Some(at) = bytes.checked_sub(FOOTER_BYTES as u64).filter(|at| *at >= HEADER_BYTES as u64) else {
        return Ok(None);
    };
    let mut footer = [0; FOOTER_BYTES];
    let read = file.read_at(at, &mut footer)?;
    Ok(Footer::parse(&footer[..read], ordinal, at))
}

fn walk(header: Header, bytes: u64, mut scan: Scan<'_>) -> Survey {
    let frames_end = bytes.min(HEADER_BYTES as u64);
    let last = [0; Signal::COUNT];
    let (footer, records, torn_bytes, times, failed) = (None, 0, 0, None, None);
    let mut survey = Survey { header, footer, records, last, frames_end, torn_bytes, times, failed };
    while let Some(found) = scan.next() {
        let frame = found.head.frame;
        let whole = scan.payload(&found).is_some();
        survey.records += if whole { u64::from(frame.records) } else { 0 };
        survey.last = found.head.before;
        let last = &mut survey.last[frame.signal as usize];
        *last = last.saturating_add(frame.records);
        survey.frames_end = found.payload.end;
        let (first, latest) = survey.times.unwrap_or((frame.time_ms, frame.time_ms));
        survey.times = Some((first, latest.max(frame.time_ms)));
    }
    survey.torn_bytes = scan.source.written_end(survey.frames_end) - survey.frames_end;
    survey.failed = scan.source.failed.take();
    survey
}

fn add(line: &mut Line, ordinal: u64, store: Store, survey: &Survey, commonest: Signal, is_last: bool) {
    let (base, guessed) = match (survey.header, survey.footer) {
        (Header::Base(base), _) if base.ordinal() == ordinal => (base, false),
        (_, Some(footer)) => (footer.base, false),
        _ if line.end.ordinal() <= ordinal => {
            (line.end.guess(ordinal, commonest), line.end.ordinal() < ordinal)
        }
        _ => (Position::default().guess(ordinal, commonest), true),
    };
    let footer = Footer { base, records: survey.last, frames_end: survey.frames_end, times: survey.times };
    let mut segment = Segment::found(store, &footer, survey.footer.is_some(), guessed);
    let readable = survey.failed.is_none();
    if !guessed || survey.times.is_some() {
        line.end = line.end.max(base.plus(&survey.last));
    }
    // What holds nothing goes. In the middle that is only what has not even a header: the others tell kinds.
    if readable && survey.times.is_none() && (is_last || guessed) {
        let _ = segment.discard();
        return;
    }
    // What cannot be changed stays as it is: nothing reads beyond the last frame. It is walked again next time.
    if readable && is_last && !guessed {
        let _ = segment.seal();
    }
    line.segments.push_back(segment);
}

/// Gives segments whose kinds are a guess such as leave those on both sides what they are known to have.
fn settle_guesses(line: &mut Line) {
    for index in (0..line.segments.len()).rev() {
        if !line.segments[index].guessed {
            continue;
        }
        let before = index.checked_sub(1).map(|before| line.segments[before].end()).unwrap_or_default();
        let (at, records) = (line.segments[index].base.ordinal(), *line.segments[index].records());
        let most = line.end_of(index).less(&records);
        if before.is_within(&most) && (before.ordinal()..=most.ordinal()).contains(&at) {
            line.segments[index].base = before.toward(&most, at - before.ordinal());
        }
    }
}

/// Ordinals are not used twice: if a cursor knew of frames after the last whole one, so does the journal.
fn furthest(folders: &Folders, end: Position) -> Result<Position, Error> {
    let names = folders.disk.names(&folders.cursors).map_err(|source| {
        path_error("read", &folders.cursors, "give a directory that this user may read", source)
    })?;
    Ok(names.iter().filter_map(|name| slot::peek_end(&folders.cursor(name))).fold(end, Position::max))
}
