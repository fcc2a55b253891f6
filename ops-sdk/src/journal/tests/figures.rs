//! What the journal costs. Prints; asserts only that the work was done. In front of each figure in a document stands
//! the command that runs it.

use std::time::Instant;

use super::*;

/// Seconds that this thread has run, whatever else the machine does; what it waited for a medium is not among them.
fn cpu_s() -> f64 {
    let said = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    said.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}

/// A block of 16 events of 250 bytes.
const BLOCK: (u32, usize) = (16, 16 * 250);

fn append_events(journal: &mut Journal, events: u64) {
    let payload: Vec<u8> = (0..BLOCK.1).map(|i| (i * 31 % 251).to_le_bytes()[0]).collect();
    let frames = events / u64::from(BLOCK.0);
    for frame in 0..frames {
        journal.append(block(Signal::Log, 1 + frame * u64::from(BLOCK.0), BLOCK.0), &payload);
        if frame % 16 == 15 {
            journal.commit();
        }
    }
    journal.commit();
}

/// Runs on whatever `OPS_FIGURES_DIR` or the temporary folder lies on.
fn directory() -> tempfile::TempDir {
    let named = std::env::var_os("OPS_FIGURES_DIR");
    named.map_or_else(tempfile::tempdir, tempfile::tempdir_in).unwrap()
}

#[test]
#[ignore = "prints figures"]
fn how_fast_the_journal_is() {
    const EVENTS: u64 = 1_000_000;
    let (dir, seconds) = (directory(), |began: Instant| began.elapsed().as_secs_f64());
    let every = Duration::from_millis(100);
    for durability in [Durability::ProcessCrash, Durability::PowerLoss { every }] {
        let state = dir.path().join(format!("{durability:?}").split(' ').next().unwrap());
        let settings = Settings { durability, ..Settings::new(Some(state)) };
        let mut journal = Journal::open(settings).unwrap().0;
        let key = attach(&mut journal, "one", LOGS);
        let began = cpu_s();
        append_events(&mut journal, EVENTS);
        let took = cpu_s() - began;
        let began = Instant::now();
        journal.sync().unwrap();
        println!(
            "{durability:?}: {:.2} million events/s of 250 B and core appended and committed; one sync of it all takes {:.2} s",
            EVENTS as f64 / took / 1e6,
            seconds(began)
        );
        let (began, mut run, mut events) = (cpu_s(), Run::new(), 0);
        loop {
            journal.read(key, 512 << 10, 10_000, &mut run);
            if run.is_empty() {
                break;
            }
            events += run.len() as u64;
            journal.ack(key, run.end());
        }
        assert_eq!(events, EVENTS);
        println!("  {:.2} million events/s and core read", EVENTS as f64 / (cpu_s() - began) / 1e6);
    }
}

#[test]
#[ignore = "prints figures, writes 1 GiB"]
fn how_fast_a_backlog_of_1_gib_opens() {
    let dir = directory();
    let settings = Settings { bytes_max: 2 << 30, ..Settings::new(Some(dir.path().to_owned())) };
    let mut journal = Journal::open(settings.clone()).unwrap().0;
    attach(&mut journal, "one", LOGS);
    let frame = (HEAD_BYTES + BLOCK.1) as u64;
    append_events(&mut journal, (1 << 30) / frame * u64::from(BLOCK.0));
    kill(journal);
    let began = Instant::now();
    let (mut journal, opened) = Journal::open(settings).unwrap();
    let open = began.elapsed();
    let key = attach(&mut journal, "one", LOGS);
    let attached = began.elapsed();
    let (seqs, _) = {
        let mut run = Run::new();
        journal.read(key, 32 << 10, 1000, &mut run);
        (run.len(), run.end())
    };
    println!(
        "{} MiB in {} segments, {} records, after a kill: opened in {:.1} ms, a backend attached after {:.1} ms, the \
         first {seqs} records read after {:.1} ms",
        journal.bytes() >> 20,
        journal.lanes[SIGNALS].line.segments.len(),
        opened.records,
        open.as_secs_f64() * 1e3,
        attached.as_secs_f64() * 1e3,
        began.elapsed().as_secs_f64() * 1e3
    );
    assert_eq!(journal.pending(key, Signal::Log), opened.records);
}

#[test]
#[ignore = "prints figures"]
fn how_much_writing_zeros_ahead_costs() {
    let dir = directory();
    let disk: Arc<dyn Disk> = Arc::new(Files);
    let block = vec![7; 64 << 10];
    for (name, ahead) in [("written piece by piece", 0), ("1 MiB of zeros ahead", 1 << 20)] {
        let began = cpu_s();
        for file in 0..8 {
            let path = dir.path().join(format!("{ahead}-{file}"));
            let file = disk.open(&path, crate::journal::disk::How::New).unwrap();
            for at in (0..8 << 20).step_by(block.len()) {
                if ahead > 0 && at % ahead == 0 {
                    file.write_at(at, &vec![0; 1 << 20]).unwrap();
                }
                file.write_at(at, &block).unwrap();
            }
        }
        println!("{name}: {:.3} ms a MiB", (cpu_s() - began) * 1e3 / 64.0);
    }
}
