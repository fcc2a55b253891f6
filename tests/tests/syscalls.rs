//! A warm call makes no system call: each form is called on a thread that the kernel ends at the first one but `exit`
//! (by a seccomp filter: the strict mode would forbid reading the processor's counter, too). In a process of its own,
//! since a thread that is ended so leaves nothing behind in order.
#![cfg(target_os = "linux")]

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicI32, Ordering::SeqCst};
use std::time::Duration;

use ops_forms::{Discard, Form};

const CHILD: &str = "OPS_TEST_SYSCALLS";
const CALLS: u64 = 1000;

/// Where a thread is: not ready, under watch by this number, or done.
static STATE: AtomicI32 = AtomicI32::new(0);
const DONE: i32 = -1;

/// Makes a system call as short as they come.
const CALLING: Form = Form { name: "a system call", call: |_| _ = process_id(), events: 0 };

#[allow(unsafe_code)]
fn process_id() -> libc::c_long {
    // SAFETY: it takes nothing and always succeeds.
    unsafe { libc::syscall(libc::SYS_getpid) }
}

/// Has the kernel end this thread at any system call but `exit`.
#[allow(unsafe_code)]
#[allow(clippy::cast_possible_truncation)] // small constants
fn forbid() {
    let code = |class: u32, k: u32, jt, jf| libc::sock_filter { code: class as u16, jt, jf, k };
    let mut filter = [
        code(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0), // the call's number
        code(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, libc::SYS_exit as u32, 0, 1),
        code(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW, 0, 0),
        code(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_KILL_THREAD, 0, 0),
    ];
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: the kernel copies the filter, which is as long as it says.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0, "no new rights");
        assert_eq!(
            libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program),
            0,
            "seccomp"
        );
    }
}

/// Calls the form on this thread, which the kernel ends at the first system call.
#[allow(unsafe_code)]
fn watched(form: Form) {
    (0..64).for_each(form.call);
    // SAFETY: numbers alone are passed. `exit` ends the thread without destructors, in a process that has no more use
    // for it.
    unsafe {
        STATE.store(i32::try_from(libc::syscall(libc::SYS_gettid)).expect("a thread's number"), SeqCst);
        forbid();
        (0..CALLS).for_each(form.call);
        STATE.store(DONE, SeqCst);
        libc::syscall(libc::SYS_exit, 0);
    }
}

/// Whether the thread came to the end of its calls.
fn survives(form: Form) -> bool {
    STATE.store(0, SeqCst);
    let thread = std::thread::spawn(move || watched(form));
    let survived = loop {
        match STATE.load(SeqCst) {
            DONE => break true,
            0 => assert!(!thread.is_finished(), "the thread could not be watched"),
            id if !Path::new(&format!("/proc/self/task/{id}")).exists() => break STATE.load(SeqCst) == DONE,
            _ => {}
        }
        std::thread::yield_now();
    };
    drop(thread); // never joined: it did not end as threads do
    survived
}

/// Not a test by itself: the process with the threads. Says which forms came to their end.
#[test]
fn child() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let ops = ops_sdk::init()
        .environment(|_| None)
        .shutdown_deadline(Duration::from_secs(5))
        .level(ops_sdk::Level::Debug)
        .backend(Discard::default())
        .start()
        .expect("recording starts");
    for form in ops_forms::ALL.iter().chain([&CALLING]) {
        println!("\nform {} {}", form.name, if survives(*form) { "survived" } else { "was ended" });
    }
    drop(ops);
}

#[test]
fn a_warm_call_makes_no_system_call() {
    let exe = std::env::current_exe().expect("this test");
    let child = Command::new(exe).args(["--exact", "child", "--nocapture"]).env(CHILD, "1").output();
    let child = child.expect("the child runs");
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success(), "{said}\n{}", String::from_utf8_lossy(&child.stderr));
    let ended: Vec<_> = said.lines().filter_map(|line| line.strip_prefix("form ")).collect();
    let mut wanted: Vec<_> = ops_forms::ALL.iter().map(|form| format!("{} survived", form.name)).collect();
    // The watch is not blind.
    wanted.push(format!("{} was ended", CALLING.name));
    assert_eq!(ended, wanted);
}
