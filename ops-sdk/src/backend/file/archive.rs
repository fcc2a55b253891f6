//! Files that were rotated: what they are called, which are compressed, which are kept. `ops.jsonl` becomes
//! `ops.jsonl.20261122T072428Z`, and then `ops.jsonl.20261122T072428Z.gz`, so that names sort by time and a pattern
//! `ops.jsonl*` finds them all.
//!
//! Touches no file whose name it has not given: what logrotate made, as `ops.jsonl.1`, is logrotate's.

use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::append::with_mode;
use super::settings::Chosen;
use crate::backend::shared::{Compression, Packer};
use crate::encode::json::time_rfc3339;

/// What a file is called that is being compressed.
const HALF: &str = ".part";
const STAMP_CHARS: usize = 16;

/// A rotated file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Archived {
    /// The time in its name, and its number among those of the same second.
    at: (String, u32),
    /// What its name ends with: nothing while it is not compressed.
    ending: String,
    path: PathBuf,
    bytes: u64,
}

/// Gives a file the name of this time, or the next one that is free. A file that is not there needs none.
pub(super) fn set_aside(path: &Path, now_s: u64) -> io::Result<()> {
    let stamp = stamp(now_s);
    let at =
        list(path).into_iter().filter(|archived| archived.at.0 == stamp).map(|archived| archived.at.1).max();
    let suffix = at.map_or(String::new(), |number| format!("-{}", number + 1));
    match fs::rename(path, beside(path, &format!(".{stamp}{suffix}"))) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        renamed => renamed,
    }
}

/// Compresses what is to be compressed and removes what is not to be kept. What could not be done, and why.
pub(super) fn tidy(chosen: &Chosen) -> Vec<(PathBuf, io::Error)> {
    let mut failed = Vec::new();
    let mut archived = list(&chosen.path);
    for half in archived.extract_if(.., |archived| archived.ending.ends_with(HALF)) {
        failed.extend(fs::remove_file(&half.path).err().map(|error| (half.path, error)));
    }
    archived.sort();
    let newest = archived.len().saturating_sub(1);
    if chosen.compression != Compression::None {
        for one in archived[..newest].iter().filter(|one| one.ending.is_empty()) {
            failed.extend(pack(one, chosen).err().map(|error| (one.path.clone(), error)));
        }
    }
    let mut archived = list(&chosen.path);
    archived.sort();
    let sizes: Vec<u64> = archived.iter().rev().map(|one| one.bytes).collect();
    for gone in archived.iter().rev().skip(kept(&sizes, chosen.keep_files, chosen.keep_bytes)) {
        failed.extend(fs::remove_file(&gone.path).err().map(|error| (gone.path.clone(), error)));
    }
    failed
}

/// How many files of these sizes, the newest first, are kept. The newest always is: an agent may be reading it.
fn kept(sizes: &[u64], files_max: usize, bytes_max: u64) -> usize {
    let mut bytes = 0_u64;
    let fits = |(index, size): &(usize, &u64)| {
        bytes = bytes.saturating_add(**size);
        *index == 0 || ((files_max == 0 || *index < files_max) && (bytes_max == 0 || bytes <= bytes_max))
    };
    sizes.iter().enumerate().take_while(fits).count()
}

/// The rotated files of this path.
fn list(path: &Path) -> Vec<Archived> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let own = path.file_name().unwrap_or_default();
    let archived = |entry: fs::DirEntry| {
        let (at, ending) = read(own, &entry.file_name())?;
        let metadata = entry.metadata().ok().filter(|metadata| metadata.is_file())?;
        Some(Archived { at, ending, path: entry.path(), bytes: metadata.len() })
    };
    entries.flatten().filter_map(archived).collect()
}

/// What a name says that was given here.
fn read(own: &OsStr, name: &OsStr) -> Option<((String, u32), String)> {
    let rest = name.to_str()?.strip_prefix(own.to_str()?)?.strip_prefix('.')?;
    let (stamp, rest) = rest.split_at_checked(STAMP_CHARS)?;
    let pattern = b"00000000T000000Z";
    let alike = |(is, wanted): (u8, &u8)| is == *wanted || (*wanted == b'0' && is.is_ascii_digit());
    if !stamp.bytes().zip(pattern).all(alike) {
        return None;
    }
    let (number, ending) = match rest.strip_prefix('-') {
        Some(rest) => {
            let digits = rest.find('.').unwrap_or(rest.len());
            (rest[..digits].parse().ok()?, &rest[digits..])
        }
        None => (0, rest),
    };
    let ours = ["", ".gz", ".zst", ".gz.part", ".zst.part"];
    ours.contains(&ending).then(|| ((stamp.to_owned(), number), ending.to_owned()))
}

/// Compresses a file into one beside it, and removes it when that is whole and on the medium.
fn pack(archived: &Archived, chosen: &Chosen) -> io::Result<()> {
    let whole = beside(&archived.path, chosen.compression.suffix());
    let half = beside(&whole, HALF);
    let packed = pack_into(&archived.path, &half, chosen);
    if packed.is_err() {
        let _ = fs::remove_file(&half); // the room is needed
    }
    packed?;
    fs::rename(&half, &whole)?;
    fs::remove_file(&archived.path)
}

fn pack_into(from: &Path, to: &Path, chosen: &Chosen) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true); // a half of ours
    with_mode(&mut options, chosen.mode);
    let mut packer = Packer::new(chosen.compression, options.open(to)?)?;
    io::copy(&mut fs::File::open(from)?, &mut packer)?;
    packer.flush()?;
    packer.finish()?.sync_all()
}

/// `20261122T072428Z`.
fn stamp(now_s: u64) -> String {
    let mut time = Vec::new();
    time_rfc3339(&mut time, now_s.saturating_mul(1_000_000_000));
    let digits = |range: std::ops::Range<usize>| {
        time.get(range)
            .unwrap_or_default()
            .iter()
            .filter(|byte| byte.is_ascii_digit())
            .map(|byte| char::from(*byte))
    };
    digits(0..10).chain(['T']).chain(digits(11..19)).chain(['Z']).collect()
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_from_those_that_others_gave() {
        assert_eq!(stamp(1_795_332_268), "20261122T072428Z");
        let at = |number| ("20261122T072428Z".to_owned(), number);
        let table = [
            ("a.jsonl.20261122T072428Z", Some((at(0), ""))),
            ("a.jsonl.20261122T072428Z-2", Some((at(2), ""))),
            ("a.jsonl.20261122T072428Z.gz", Some((at(0), ".gz"))),
            ("a.jsonl.20261122T072428Z-12.zst", Some((at(12), ".zst"))),
            ("a.jsonl.20261122T072428Z.gz.part", Some((at(0), ".gz.part"))),
            ("a.jsonl", None),
            ("a.jsonl.1", None),
            ("a.jsonl-20261122", None),
            ("a.jsonl.20261122T072428", None),
            ("a.jsonl.2026-11-22T0724Z", None),
            ("a.jsonl.20261122T072428Z.bak", None),
            ("a.jsonl.20261122T072428Z-x", None),
            ("a.jsonl.20261122T07242é", None),
            ("b.jsonl.20261122T072428Z", None),
        ];
        for (name, expected) in table {
            let expected = expected.map(|(at, ending)| (at, ending.to_owned()));
            assert_eq!(read(OsStr::new("a.jsonl"), OsStr::new(name)), expected, "{name}");
        }
    }

    #[test]
    fn the_newest_are_kept() {
        assert_eq!(kept(&[5, 5, 5], 0, 0), 3);
        assert_eq!(kept(&[5, 5, 5], 2, 0), 2);
        assert_eq!(kept(&[5, 5, 5], 0, 10), 2);
        assert_eq!(kept(&[5, 5, 5], 0, 1), 1);
        assert_eq!(kept(&[], 1, 1), 0);
    }
}
