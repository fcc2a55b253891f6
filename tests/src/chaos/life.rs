//! One process of a round, from its making to its end: what the plan has for it is done to it here.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::means::{Mounted, Tools, set_clock};
use super::plan::{Ending, Life, Plan};
use super::progress::{self, Reached};
use super::server::{Cloud, access_key};
use super::store;
use super::workload::{Books, Orders};

/// A process that lives longer than this hangs. Far beyond every deadline that is given.
const LIFE_MAX: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_micros(300);

/// What is known of a life when it is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lived {
    /// How far each thread came.
    pub reached: Vec<Reached>,
    /// The books, if there was time for them.
    pub books: Option<Books>,
    /// What did not go as planned, if anything.
    pub wrong: Option<String>,
}

/// Where a round happens.
#[derive(Debug)]
pub struct Place<'a> {
    /// The tools of the run.
    pub tools: &'a Tools,
    /// The round's own folder.
    pub folder: &'a Path,
    /// The state directory.
    pub state: &'a Path,
    /// The servers.
    pub cloud: &'a Cloud,
    /// The small disk, in rounds that have one.
    pub disk: Option<&'a Mounted>,
}

impl Place<'_> {
    /// Lives a life of the plan to its end.
    ///
    /// # Errors
    ///
    /// If the process cannot be made or watched.
    pub fn live(&self, plan: &Plan, life: &Life) -> io::Result<Lived> {
        self.cloud.set_weather(life.weather.clone());
        let orders = self.orders(plan, life);
        if life.jump_s.is_some() {
            set_clock(&self.clock(), 0)?;
        }
        let child = self.command(plan, life, &orders)?.spawn()?;
        let mut watch =
            Watch { child, place: self, life, orders: &orders, stopped: false, filled: false, clock: 0 };
        let ended = watch.until_it_ended();
        if let Some(disk) = self.disk {
            disk.free();
        }
        let status = ended?;
        let books =
            std::fs::read_to_string(&orders.books).ok().and_then(|text| serde_json::from_str(&text).ok());
        let reached = progress::read(&orders.progress, life.threads);
        Ok(Lived { wrong: wrong(life, status, books.as_ref(), &reached), reached, books })
    }

    fn orders(&self, plan: &Plan, life: &Life) -> Orders {
        let file = |what: &str| self.folder.join(format!("{}.{what}", life.number));
        Orders {
            seed: plan.seed,
            round: plan.round,
            life: life.number,
            threads: life.threads,
            steps: life.steps,
            batch: life.batch,
            leg: life.leg,
            rest_us: life.rest_us,
            flush_ms: life.flush_ms,
            linger_ms: life.linger_ms,
            ring_bytes: life.ring_bytes,
            ending: life.ending,
            progress: file("progress"),
            books: file("books"),
        }
    }

    fn clock(&self) -> PathBuf {
        self.folder.join("clock")
    }

    fn command(&self, plan: &Plan, life: &Life, orders: &Orders) -> io::Result<Command> {
        let said = std::fs::File::create(self.folder.join(format!("{}.stderr", life.number)))?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("--live").arg(serde_json::to_string(orders)?).env_clear();
        let backends =
            if plan.local { "local,cloudwatch,cloudwatch-logs" } else { "cloudwatch,cloudwatch-logs" };
        command.env("OPS_BACKENDS", backends).env("OPS_LOCAL_PATH", store::path(self.folder));
        command.env("OPS_NAMESPACE", "Chaos");
        command.env("OPS_STATE_DIR", self.state).env("AWS_ENDPOINT_URL", self.cloud.url());
        command.env("AWS_ACCESS_KEY_ID", access_key(life.number)).env("AWS_SECRET_ACCESS_KEY", "chaos");
        command.env("AWS_REGION", "us-east-1").env("AWS_EC2_METADATA_DISABLED", "true");
        if let Some(fault) = life.disk {
            self.tools.break_disk(&mut command, self.state, fault, life.weather.seed ^ life.number);
        }
        if life.jump_s.is_some() {
            self.tools.fake_clock(&mut command, &self.clock());
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(said);
        Ok(command)
    }
}

/// A process under watch. It is ended with this, whatever happens.
struct Watch<'a> {
    child: Child,
    place: &'a Place<'a>,
    life: &'a Life,
    orders: &'a Orders,
    stopped: bool,
    filled: bool,
    /// How far off its clock is.
    clock: i64,
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        // Both fail only where the process has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        forget_clock(self.child.id());
    }
}

impl Watch<'_> {
    /// Does what the plan says when its time has come, until the process has ended.
    fn until_it_ended(&mut self) -> io::Result<ExitStatus> {
        let began = Instant::now();
        if let Ending::KillEarly { delay_us } = self.life.ending {
            std::thread::sleep(Duration::from_micros(delay_us));
            return self.kill();
        }
        while began.elapsed() < LIFE_MAX {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            let steps = self.steps();
            self.disturb(steps)?;
            match self.life.ending {
                Ending::Kill { steps: at, delay_us } if steps >= at => {
                    std::thread::sleep(Duration::from_micros(delay_us));
                    return self.kill();
                }
                Ending::Term { steps: at } if steps >= at && steps > 0 => {
                    self.signal(Signal::TERM);
                    return self.outlast(began);
                }
                _ => std::thread::sleep(LOOK),
            }
        }
        Err(io::Error::new(io::ErrorKind::TimedOut, "the process hangs"))
    }

    fn outlast(&mut self, began: Instant) -> io::Result<ExitStatus> {
        while began.elapsed() < LIFE_MAX {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            std::thread::sleep(LOOK);
        }
        Err(io::Error::new(io::ErrorKind::TimedOut, "the process outlives SIGTERM"))
    }

    fn kill(&mut self) -> io::Result<ExitStatus> {
        self.child.kill()?;
        self.child.wait()
    }

    fn steps(&self) -> u64 {
        let reached = progress::read(&self.orders.progress, self.life.threads);
        reached.iter().map(|reached| reached.returned).sum()
    }

    /// The clock, the stop and the full disk, in the middle of the life.
    fn disturb(&mut self, steps: u64) -> io::Result<()> {
        let all = self.life.steps_total();
        let middle = steps * 3 >= all && steps * 3 < all * 2;
        let wanted = self.life.jump_s.filter(|_| middle).unwrap_or(0);
        if wanted != self.clock {
            set_clock(&self.place.clock(), wanted)?;
            self.clock = wanted;
        }
        if let (Some(ms), true, false) = (self.life.stop_ms, middle, self.stopped) {
            self.stopped = true;
            self.signal(Signal::STOP);
            std::thread::sleep(Duration::from_millis(ms));
            self.signal(Signal::CONT);
        }
        if let (Some(disk), true, false) = (self.place.disk, middle && self.life.number == 0, self.filled) {
            self.filled = true;
            disk.fill();
        }
        Ok(())
    }

    fn signal(&self, signal: Signal) {
        // It fails only where the process has ended by itself.
        let _ = kill_process(Pid::from_child(&self.child), signal);
    }
}

/// Takes away what libfaketime leaves of a process that is killed.
fn forget_clock(process: u32) {
    for left in ["faketime_shm_", "sem.faketime_sem_"] {
        // Most processes have none.
        let _ = std::fs::remove_file(format!("/dev/shm/{left}{process}"));
    }
}

/// What is wrong with how it ended, if anything.
fn wrong(life: &Life, status: ExitStatus, books: Option<&Books>, reached: &[Reached]) -> Option<String> {
    let nothing_begun = reached.iter().all(|reached| reached.begun == 0);
    let right = match life.ending {
        // On a disk that takes nothing it may not start; it has then recorded nothing.
        _ if (life.disk.is_some()) && status.code() == Some(1) && nothing_begun => true,
        Ending::Clean { .. } | Ending::Drain => status.success() && books.is_some(),
        Ending::Kill { .. } | Ending::KillEarly { .. } => status.signal() == Some(9),
        Ending::Abort { .. } | Ending::Panic { .. } => status.signal() == Some(6),
        Ending::Exit => status.success(),
        Ending::Term { .. } => status.code() != Some(1),
    };
    (!right)
        .then(|| format!("life {} was to end with {:?} and ended with {status}", life.number, life.ending))
}
