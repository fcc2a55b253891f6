//! What this machine lets a run do to a process: a library that makes its writes fail, one that fakes its clock, a small
//! file system of its own. What is missing is said, with the remedy, and not planned.

use std::ffi::CString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use super::plan::{DiskFault, Means};

const SHIM: &str = include_str!("faults.c");
/// Bytes of a small disk: room for an arena and some segments.
const SMALL_DISK_OPTIONS: &str = "size=40m,mode=0700";
const FAKETIME: [&str; 3] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/faketime/libfaketimeMT.so.1",
];

/// The tools of a run, in a folder that goes with it.
#[derive(Debug)]
pub struct Tools {
    /// Holds the library.
    _folder: tempfile::TempDir,
    shim: Option<PathBuf>,
    faketime: Option<&'static str>,
    tmpfs: bool,
}

impl Tools {
    /// Looks for what there is; says on stderr what there is not.
    ///
    /// # Errors
    ///
    /// If not even a folder can be made.
    pub fn find() -> std::io::Result<Tools> {
        let folder = tempfile::Builder::new().prefix("ops-chaos-").tempdir()?;
        let shim = compile(folder.path());
        let faketime = FAKETIME.into_iter().find(|path| Path::new(path).exists());
        let tmpfs = Mounted::new(&folder.path().join("try")).is_ok();
        let missing = [
            (shim.is_none(), "disk faults: no C compiler; install build-essential"),
            (faketime.is_none(), "clock jumps: no libfaketime; install faketime"),
            (!tmpfs, "full disks: a tmpfs cannot be mounted here; run as root"),
        ];
        for (_, what) in missing.into_iter().filter(|(missing, _)| *missing) {
            eprintln!("chaos: not planned: {what}");
        }
        Ok(Tools { _folder: folder, shim, faketime, tmpfs })
    }

    /// What can be planned.
    #[must_use]
    pub fn means(&self) -> Means {
        Means { shim: self.shim.is_some(), faketime: self.faketime.is_some(), tmpfs: self.tmpfs }
    }

    /// Has a process' writes below a folder fail in so many of a hundred calls.
    pub fn break_disk(&self, command: &mut Command, under: &Path, fault: (DiskFault, u64), seed: u64) {
        let (Some(shim), (fault, percent)) = (&self.shim, fault) else { return };
        let error = match fault {
            DiskFault::Full => "ENOSPC",
            DiskFault::Broken => "EIO",
            DiskFault::Short => "SHORT",
        };
        command.env("LD_PRELOAD", shim).env("CHAOS_DISK_UNDER", under).env("CHAOS_DISK_ERROR", error);
        command.env("CHAOS_DISK_PERCENT", percent.to_string()).env("CHAOS_DISK_SEED", seed.to_string());
    }

    /// Has a process read its wall clock through a file that [`set_clock`] writes. Its monotonic clock stays true.
    pub fn fake_clock(&self, command: &mut Command, clock: &Path) {
        let Some(faketime) = self.faketime else { return };
        command
            .env("LD_PRELOAD", faketime)
            .env("FAKETIME_TIMESTAMP_FILE", clock)
            .env("FAKETIME_NO_CACHE", "1");
        command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    }
}

/// Sets a faked clock so many seconds off. In one step, so that nobody reads half of it.
///
/// # Errors
///
/// What the system says.
pub fn set_clock(clock: &Path, off_s: i64) -> std::io::Result<()> {
    let next = clock.with_extension("next");
    std::fs::write(&next, format!("{off_s:+}\n"))?;
    std::fs::rename(next, clock)
}

fn compile(folder: &Path) -> Option<PathBuf> {
    let (source, library) = (folder.join("faults.c"), folder.join("faults.so"));
    std::fs::write(&source, SHIM).ok()?;
    let mut compile = Command::new("cc");
    compile.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(&source).arg("-ldl");
    compile.stderr(Stdio::null()).status().ok()?.success().then_some(library)
}

/// A small file system, for as long as this lives.
#[derive(Debug)]
pub struct Mounted(PathBuf);

impl Mounted {
    /// Makes the folder and mounts a small tmpfs there.
    ///
    /// # Errors
    ///
    /// If the system does not allow it.
    pub fn new(at: &Path) -> std::io::Result<Mounted> {
        std::fs::create_dir_all(at)?;
        let options = CString::new(SMALL_DISK_OPTIONS)?;
        mount("tmpfs", at, "tmpfs", MountFlags::empty(), options.as_c_str())?;
        Ok(Mounted(at.to_owned()))
    }

    /// Takes all the room that is left.
    pub fn fill(&self) {
        let (mut file, zeros) = (std::fs::File::create(self.filler()).ok(), vec![0; 64 << 10]);
        let mut size = zeros.len();
        while size > 0 {
            let written = file.as_mut().and_then(|file| std::io::Write::write(file, &zeros[..size]).ok());
            size = if written.is_some() { size } else { size / 2 };
        }
    }

    /// Gives it back.
    pub fn free(&self) {
        // A process that another thread is just starting holds copies of this one's files until it runs its own program:
        // a file that is only removed would keep its room for as long.
        let emptied = std::fs::OpenOptions::new().write(true).truncate(true).open(self.filler());
        // Where it was never filled there is nothing to take away.
        let _ = emptied.and_then(|_| std::fs::remove_file(self.filler()));
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Nothing holds it by now; if something does, the system lets go when that ends.
        let _ = unmount(&self.0, UnmountFlags::DETACH);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_is_freed_has_room_whoever_holds_what_filled_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let Ok(disk) = Mounted::new(&dir.path().join("disk")) else {
            eprintln!("skipped: a tmpfs cannot be mounted here");
            return;
        };
        let write = || std::fs::write(disk.0.join("more"), vec![1; 1 << 20]);
        disk.fill();
        assert!(write().is_err(), "it is full");
        let _held = std::fs::File::open(disk.filler()).expect("what fills it");
        disk.free();
        write().expect("room");
    }
}
