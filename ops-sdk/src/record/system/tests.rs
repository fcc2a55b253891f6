//! Maps of memory and of files, and room for them; the parts for unix alone where there is one.

use super::*;

fn read(map: &Map, at: usize) -> u8 {
    assert!(at < map.bytes());
    // SAFETY: within the map, which is valid for the life of the process; one thread uses it.
    unsafe { map.address().add(at).read_volatile() }
}

fn write(map: &Map, at: usize, byte: u8) {
    assert!(at < map.bytes());
    // SAFETY: as above.
    unsafe { map.address().add(at).write_volatile(byte) }
}

#[test]
fn new_memory_is_zero_aligned_and_ones_own() {
    let (one, other) = (Map::anonymous(1 << 20).unwrap(), Map::anonymous(1 << 20).unwrap());
    for at in [0, 1, 4096, (1 << 20) - 1] {
        assert_eq!(read(&one, at), 0);
        write(&one, at, 7);
        assert_eq!((read(&one, at), read(&other, at)), (7, 0));
    }
    assert_eq!(one.address().align_offset(64), 0);
}

#[test]
fn what_cannot_be_had_is_an_error() {
    assert!(Map::anonymous(0).is_err());
    assert!(Map::anonymous(usize::MAX - 100).is_err());
}

#[cfg(all(target_os = "linux", not(miri)))]
#[test]
fn pages_that_were_given_ahead_are_there_and_hold_what_they_held() {
    let page_faults = || {
        let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
        // SAFETY: the call writes a whole `rusage` there, and zeros are one.
        unsafe { libc::getrusage(libc::RUSAGE_THREAD, usage.as_mut_ptr()) };
        // SAFETY: as above.
        unsafe { usage.assume_init() }.ru_minflt
    };
    let map = Map::anonymous(4 << 20).unwrap();
    write(&map, 5_000, 7);
    // SAFETY: within the map.
    populate(unsafe { map.address().add(5_000) }, 2 << 20);
    // Read first: what a sanitizer keeps of each page is touched by that as well, and a page that was not given is not
    // there for writing because it was read.
    (0..2 << 20).step_by(4096).for_each(|at| _ = read(&map, 5_000 + at + 1));
    let before = page_faults();
    (0..2 << 20).step_by(4096).for_each(|at| write(&map, 5_000 + at + 1, 1));
    let (ahead, after) = (page_faults() - before, page_faults());
    (0..1 << 20).step_by(64 << 10).for_each(|at| write(&map, (3 << 20) + at, 1));
    // A page of 64 KiB or less each; what else the thread touches for the first time is a few.
    assert!(ahead < 8 && page_faults() - after >= 16, "{ahead}");
    assert_eq!(read(&map, 5_000), 7);
}

#[cfg(all(unix, not(miri)))]
mod files {
    use std::fs::{File, OpenOptions};
    use std::io::ErrorKind;
    use std::os::unix::fs::MetadataExt;

    use super::*;

    const BYTES: u64 = 1 << 20;

    fn file() -> (tempfile::TempDir, File) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("arena");
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path).unwrap();
        (dir, file)
    }

    #[test]
    fn what_is_written_to_a_map_is_the_files() {
        let (dir, file) = file();
        allocate(&file, 0, BYTES).unwrap();
        let map = Map::file(&file, BYTES as usize).unwrap();
        drop(file);
        assert_eq!(read(&map, 4096), 0);
        write(&map, 4096, 42);
        let bytes = std::fs::read(dir.path().join("arena")).unwrap();
        assert_eq!((bytes.len() as u64, bytes[4096]), (BYTES, 42));
        let again =
            Map::file(&File::options().read(true).write(true).open(dir.path().join("arena")).unwrap(), 8192);
        assert_eq!(read(&again.unwrap(), 4096), 42);
    }

    #[test]
    fn renewed_memory_is_zero_at_the_same_place_and_the_file_keeps_what_it_had() {
        let (dir, file) = file();
        allocate(&file, 0, BYTES).unwrap();
        for map in [Map::file(&file, BYTES as usize).unwrap(), Map::anonymous(BYTES as usize).unwrap()] {
            write(&map, 0, 1);
            write(&map, 70_000, 2);
            map.renew_private().unwrap();
            assert_eq!((read(&map, 0), read(&map, 70_000)), (0, 0));
            write(&map, 70_000, 3);
        }
        let bytes = std::fs::read(dir.path().join("arena")).unwrap();
        assert_eq!((bytes[0], bytes[70_000]), (1, 2));
    }

    #[test]
    fn room_is_given_ahead_and_keeps_what_is_there() {
        let (dir, file) = file();
        std::fs::write(dir.path().join("arena"), b"here").unwrap();
        allocate(&file, 4, BYTES).unwrap();
        let meta = file.metadata().unwrap();
        assert_eq!(meta.len(), BYTES);
        assert!(meta.blocks() * 512 >= BYTES, "{} blocks", meta.blocks());
        assert!(std::fs::read(dir.path().join("arena")).unwrap().starts_with(b"here\0"));
        allocate(&file, BYTES, 10).unwrap();
        assert_eq!(file.metadata().unwrap().len(), BYTES, "a file does not become shorter");
    }

    #[test]
    fn zeros_are_written_where_there_is_no_other_way() {
        let (_dir, file) = file();
        map::write_zeros(&file, 0, 3).unwrap();
        map::write_zeros(&file, 3, 200_001).unwrap();
        let meta = file.metadata().unwrap();
        assert_eq!(meta.len(), 200_001);
        assert!(meta.blocks() * 512 >= 200_001);
    }

    #[test]
    fn files_that_cannot_be_mapped_or_given_room_are_errors() {
        let (dir, _) = file();
        let read_only = File::open(dir.path().join("arena")).unwrap();
        assert_eq!(Map::file(&read_only, 4096).unwrap_err().kind(), ErrorKind::PermissionDenied);
        assert!(allocate(&read_only, 0, 4096).is_err());
        #[cfg(target_os = "linux")]
        assert!(allocate(&File::options().write(true).open("/dev/full").unwrap(), 0, 4096).is_err());
    }
}
