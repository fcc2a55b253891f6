//! What earlier processes left in a state directory. Reads every segment once with one window of memory, checks
//! every frame, and keeps no payload.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};

use super::frame::{HEADER_BYTES, Header, parse_header};
use super::line::Line;
use super::lock::path_error;
use super::position::{Position, Tally};
use super::scan::{Scan, Source};
use super::segment::{Segment, ordinal_of};
use super::slot;
use crate::error::Error;
use crate::ledger::Loss;
use crate::model::Signal;

/// What was found when the journal was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Opened {
    /// Records in whole frames.
    pub records: u64,
    /// Records that stood between or after these and cannot be read. Each backend that had not passed them is told so
    /// when it comes to them.
    pub damaged_records: u64,
    /// Bytes after the last frame that were no whole frame, as a process leaves them that is killed while it
    /// writes. They are cut off.
    pub torn_bytes: u64,
}

/// What one walk over a segment tells.
struct Survey {
    header: Header,
    bytes: u64,
    records: u64,
    /// Records of each kind up to and with the last that has a whole head.
    last: Tally<u32>,
    /// Where that one ends.
    frames_end: u64,
    times: Option<(u64, u64)>,
}

/// Reads the segments in `folder`, and in `cursors` how far backends had come.
pub(super) fn recover(folder: &Path, cursors: &Path) -> Result<(Line, Opened), Error> {
    let (mut line, mut opened) = (Line::default(), Opened::default());
    let mut files = segment_files(folder)?;
    files.sort();
    let (count, last) = (files.len(), files.len().saturating_sub(1));
    for (index, (ordinal, path)) in files.into_iter().enumerate() {
        let survey = survey(&path, ordinal)?;
        opened.records += survey.records;
        if index == last {
            opened.torn_bytes = cut(&path, &survey);
        }
        add(&mut line, ordinal, path, &survey, index == last);
    }
    let end = furthest(cursors, line.end);
    if count > 0 && line.end.is_before(&end) {
        line.segments.push_back(Segment::gone(line.end, Loss::Damaged));
    }
    line.end = end;
    let stood = line.end.ordinal() - line.start().ordinal();
    opened.damaged_records = stood.saturating_sub(opened.records);
    Ok((line, opened))
}

fn segment_files(folder: &Path) -> Result<Vec<(u64, PathBuf)>, Error> {
    let remedy = "give a directory that this user may read";
    let entries = fs::read_dir(folder).map_err(|source| path_error("read", folder, remedy, source))?;
    let named = entries.filter_map(|entry| {
        let entry = entry.ok()?;
        Some((ordinal_of(entry.file_name().to_str()?)?, entry.path()))
    });
    Ok(named.collect())
}

fn survey(path: &Path, ordinal: u64) -> Result<Survey, Error> {
    let fail = |source| path_error("read", path, "give a directory whose files this user may read", source);
    let file = OpenOptions::new().read(true).open(path).map_err(fail)?;
    let bytes = file.metadata().map_err(fail)?.len();
    let mut source = Source::new(Some(file), bytes, &[]);
    let start = source.get(0..bytes.min(HEADER_BYTES as u64)).map_or(Header::Damaged, parse_header);
    if let Header::Foreign(version) = start {
        let problem =
            std::io::Error::other(format!("written in form {version} by another version of the SDK"));
        return Err(path_error("read", path, "give another directory, or run that version", problem));
    }
    Ok(walk(start, bytes, Scan::new(source, ordinal)))
}

fn walk(header: Header, bytes: u64, mut scan: Scan<'_>) -> Survey {
    let frames_end = bytes.min(HEADER_BYTES as u64);
    let mut survey = Survey { header, bytes, records: 0, last: [0; Signal::COUNT], frames_end, times: None };
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
    survey
}

/// Cuts off what follows the last frame, and says how much it was. A segment without a frame goes altogether. If
/// the file cannot be changed it stays as it is: nothing reads beyond the last frame.
fn cut(path: &Path, survey: &Survey) -> u64 {
    if survey.times.is_none() {
        let _ = fs::remove_file(path);
    } else if survey.frames_end < survey.bytes {
        let file = OpenOptions::new().write(true).open(path);
        let _ = file.and_then(|file| file.set_len(survey.frames_end));
    }
    survey.bytes - survey.frames_end
}

fn add(line: &mut Line, ordinal: u64, path: PathBuf, survey: &Survey, is_last: bool) {
    let (base, guessed) = match survey.header {
        Header::Base(base) if base.ordinal() == ordinal => (base, false),
        _ if line.end.ordinal() <= ordinal => (line.end.guess(ordinal), line.end.ordinal() < ordinal),
        _ => (Position::default().guess(ordinal), true),
    };
    line.end = line.end.max(base.plus(&survey.last));
    if survey.times.is_some() || !is_last {
        let bytes = if is_last { survey.frames_end } else { survey.bytes };
        line.segments.push_back(Segment::found(base, path, bytes, survey.times, guessed));
    }
}

/// Ordinals are not used twice: if a cursor knew of frames after the last whole one, so does the journal.
fn furthest(cursors: &Path, end: Position) -> Position {
    let entries = fs::read_dir(cursors).into_iter().flatten().flatten();
    entries.filter_map(|entry| slot::peek_end(&entry.path())).fold(end, Position::max)
}
