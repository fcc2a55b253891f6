//! A disk that is not there: it keeps what was synced, and of everything else what chance leaves, in pieces of 512 bytes
//! and in no order. Its power goes at any call; it can be full, and fail any call half way.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use super::super::disk::{Disk, DiskFile, How};

const SECTOR_BYTES: usize = 512;

/// Numbers from a seed.
#[derive(Debug, Clone)]
pub(super) struct Chance(u64);

impl Chance {
    pub(super) fn of(seed: u64) -> Chance {
        Chance(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number below `end`.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % end
    }
}

#[derive(Debug, Clone)]
enum Change {
    Write(usize, Vec<u8>),
    Len(usize),
}

impl Change {
    fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Change::Write(at, bytes) => {
                to.resize(to.len().max(at + bytes.len()), 0);
                to[*at..at + bytes.len()].copy_from_slice(bytes);
            }
            Change::Len(bytes) => to.resize(*bytes, 0),
        }
    }

    /// What is left of it when the power goes.
    fn remains(&self, chance: &mut Chance) -> Vec<Change> {
        match (self, chance.below(3)) {
            (_, 0) => Vec::new(),
            (Change::Write(at, bytes), 1) => {
                let sectors = bytes.chunks(SECTOR_BYTES).enumerate();
                let kept = sectors.filter(|_| chance.below(2) == 0);
                kept.map(|(i, bytes)| Change::Write(at + i * SECTOR_BYTES, bytes.to_vec())).collect()
            }
            (change, _) => vec![change.clone()],
        }
    }
}

#[derive(Debug, Default)]
struct Node {
    now: Vec<u8>,
    medium: Vec<u8>,
    unsynced: Vec<Change>,
}

#[derive(Debug)]
struct State {
    nodes: Vec<Node>,
    names: BTreeMap<PathBuf, usize>,
    names_on_medium: BTreeMap<PathBuf, usize>,
    unsynced_names: Vec<(PathBuf, Option<usize>)>,
    /// Calls until the power goes.
    calls_left: Option<u64>,
    calls: u64,
    dead: bool,
    /// So many calls of a thousand fail.
    faults: u64,
    bytes_max: Option<usize>,
    chance: Chance,
}

/// What becomes of a call.
#[derive(Clone, Copy, PartialEq)]
enum Outcome {
    Done,
    /// It fails, having done a part.
    Half(ErrorKind),
}

/// The disk. Clones are the same one.
#[derive(Debug, Clone)]
pub(super) struct SimDisk(Arc<Mutex<State>>);

impl SimDisk {
    pub(super) fn new(seed: u64) -> SimDisk {
        SimDisk(Arc::new(Mutex::new(State {
            nodes: Vec::new(),
            names: BTreeMap::new(),
            names_on_medium: BTreeMap::new(),
            unsynced_names: Vec::new(),
            calls_left: None,
            calls: 0,
            dead: false,
            faults: 0,
            bytes_max: None,
            chance: Chance::of(seed),
        })))
    }

    pub(super) fn shared(&self) -> Arc<dyn Disk> {
        Arc::new(self.clone())
    }

    /// The power goes at this call from now on.
    pub(super) fn fail_at(&self, call: u64) {
        self.state().calls_left = Some(call);
    }

    /// So many calls of a thousand fail from now on.
    pub(super) fn fault(&self, of_thousand: u64) {
        self.state().faults = of_thousand;
    }

    /// The files may have so many bytes together.
    pub(super) fn limit(&self, bytes_max: Option<usize>) {
        self.state().bytes_max = bytes_max;
    }

    pub(super) fn is_dead(&self) -> bool {
        self.state().dead
    }

    pub(super) fn calls(&self) -> u64 {
        self.state().calls
    }

    pub(super) fn bytes(&self) -> usize {
        self.state().bytes()
    }

    /// The power comes back.
    pub(super) fn reboot(&self) {
        let mut guard = self.state();
        let state = &mut *guard;
        for (path, node) in std::mem::take(&mut state.unsynced_names) {
            if state.chance.below(2) == 0 {
                continue;
            }
            match node {
                Some(node) => drop(state.names_on_medium.insert(path, node)),
                None => drop(state.names_on_medium.remove(&path)),
            }
        }
        state.names = state.names_on_medium.clone();
        for node in &mut state.nodes {
            for change in std::mem::take(&mut node.unsynced) {
                change.remains(&mut state.chance).iter().for_each(|change| change.apply(&mut node.medium));
            }
            node.now = node.medium.clone();
        }
        (state.calls_left, state.dead) = (None, false);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

impl State {
    fn call(&mut self) -> io::Result<Outcome> {
        if self.dead {
            return Err(io::Error::other("no power"));
        }
        self.calls += 1;
        if let Some(left) = &mut self.calls_left {
            self.dead = *left == 0;
            *left = left.saturating_sub(1);
            if self.dead {
                return Ok(Outcome::Half(ErrorKind::Other));
            }
        }
        let fails = self.faults > 0 && self.chance.below(1000) < self.faults;
        Ok(if fails { Outcome::Half(ErrorKind::Other) } else { Outcome::Done })
    }

    fn whole_call(&mut self) -> io::Result<()> {
        match self.call()? {
            Outcome::Done => Ok(()),
            Outcome::Half(kind) => Err(kind.into()),
        }
    }

    fn bytes(&self) -> usize {
        self.names.values().map(|node| self.nodes[*node].now.len()).sum()
    }

    fn write(&mut self, node: usize, at: usize, bytes: &[u8]) -> io::Result<()> {
        let mut outcome = self.call()?;
        let mut part = match outcome {
            Outcome::Done => bytes.len(),
            Outcome::Half(_) => usize::try_from(self.chance.below(bytes.len() as u64 + 1)).unwrap(),
        };
        if self.dead && part < bytes.len() {
            part -= part % SECTOR_BYTES; // less than that is written whole or not at all
        }
        let grows = (at + part).saturating_sub(self.nodes[node].now.len());
        let free = self.bytes_max.map_or(usize::MAX, |max| max.saturating_sub(self.bytes()));
        if grows > free {
            (part, outcome) = (part - (grows - free).min(part), Outcome::Half(ErrorKind::StorageFull));
        }
        self.change(node, Change::Write(at, bytes[..part].to_vec()));
        match outcome {
            Outcome::Done => Ok(()),
            Outcome::Half(kind) => Err(kind.into()),
        }
    }

    fn change(&mut self, node: usize, change: Change) {
        change.apply(&mut self.nodes[node].now);
        self.nodes[node].unsynced.push(change);
    }
}

impl Disk for SimDisk {
    fn create_folder(&self, _: &Path) -> io::Result<()> {
        self.state().whole_call()
    }

    fn names(&self, folder: &Path) -> io::Result<Vec<String>> {
        let mut state = self.state();
        state.whole_call()?;
        let within = state.names.keys().filter(|path| path.parent() == Some(folder));
        Ok(within.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect())
    }

    fn open(&self, path: &Path, how: How) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.state();
        state.whole_call()?;
        let node = match (state.names.get(path), how) {
            (Some(_), How::New) => return Err(ErrorKind::AlreadyExists.into()),
            (None, How::Read | How::Edit) => return Err(ErrorKind::NotFound.into()),
            (Some(node), _) => *node,
            (None, _) => {
                let node = state.nodes.len();
                state.nodes.push(Node::default());
                state.names.insert(path.to_owned(), node);
                state.unsynced_names.push((path.to_owned(), Some(node)));
                node
            }
        };
        Ok(Box::new(SimFile { disk: self.clone(), node }))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.whole_call()?;
        state.names.remove(path).ok_or(ErrorKind::NotFound)?;
        state.unsynced_names.push((path.to_owned(), None));
        Ok(())
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        let mut guard = self.state();
        guard.whole_call()?;
        let state = &mut *guard;
        let (synced, left) = std::mem::take(&mut state.unsynced_names)
            .into_iter()
            .partition(|(path, _)| path.parent() == Some(folder));
        state.unsynced_names = left;
        let synced: Vec<(PathBuf, Option<usize>)> = synced;
        for (path, node) in synced {
            match node {
                Some(node) => drop(state.names_on_medium.insert(path, node)),
                None => drop(state.names_on_medium.remove(&path)),
            }
        }
        Ok(())
    }
}

#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    node: usize,
}

impl DiskFile for SimFile {
    fn len(&self) -> io::Result<u64> {
        let mut state = self.disk.state();
        state.whole_call()?;
        Ok(state.nodes[self.node].now.len() as u64)
    }

    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut state = self.disk.state();
        state.whole_call()?;
        let bytes = &state.nodes[self.node].now;
        let rest = bytes.get(usize::try_from(at).unwrap()..).unwrap_or_default();
        let read = rest.len().min(into.len());
        into[..read].copy_from_slice(&rest[..read]);
        Ok(read)
    }

    fn write_at(&self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.disk.state().write(self.node, usize::try_from(at).unwrap(), bytes)
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        let outcome = state.call()?;
        if outcome == Outcome::Done || state.chance.below(2) == 0 {
            state.change(self.node, Change::Len(usize::try_from(bytes).unwrap()));
        }
        match outcome {
            Outcome::Done => Ok(()),
            Outcome::Half(kind) => Err(kind.into()),
        }
    }

    fn sync(&self) -> io::Result<()> {
        let mut guard = self.disk.state();
        let outcome = guard.call()?;
        let node = &mut guard.nodes[self.node];
        if outcome == Outcome::Done {
            (node.medium, node.unsynced) = (node.now.clone(), Vec::new());
            return Ok(());
        }
        // What was not written is forgotten, and the next sync has nothing to do.
        node.unsynced.clear();
        Err(io::Error::other("not synced"))
    }
}
