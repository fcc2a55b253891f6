//! A real RabbitMQ for one test: TLS alone, certificates on both sides, everything of its own under one folder. Its port
//! mapper (`epmd`) is its own as well, so that it neither finds another's nor leaves one behind.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};
use serde::Deserialize;
use tempfile::TempDir;

use super::{Ca, Port, python_lines_with};
use crate::wait_until;

/// A running RabbitMQ with the virtual host `/sensu`. Ends when dropped, with all that it started.
#[derive(Debug)]
pub struct Rabbit {
    folder: TempDir,
    mapper: Child,
    broker: Child,
    /// Its port for AMQP over TLS. Clients are `client.test`, by their certificate or by the password `hush-hush`.
    pub port: u16,
    files: [PathBuf; 3],
    _kept: [Port; 3],
}

/// A message as pika reads it.
#[derive(Debug, Clone, Deserialize)]
pub struct Published {
    /// The exchange that it came by.
    pub exchange: String,
    /// Its id.
    pub id: String,
    /// The type of its content.
    #[serde(rename = "type")]
    pub content_type: String,
    /// Its bytes, which are text.
    pub body: String,
}

impl Rabbit {
    /// Starts one, with a certificate of the name `broker.test` from this authority, and makes one for its clients:
    /// `client.test`.
    ///
    /// # Panics
    ///
    /// If it is not installed or does not come up: with what it said.
    #[must_use]
    pub fn start(ca: &Ca) -> Rabbit {
        ca.sign("broker.test");
        ca.sign("client.test");
        let files = ["ca.pem", "client.test.pem", "client.test.key"].map(|file| ca.path(file));
        let folder = tempfile::tempdir().expect("a folder");
        let kept = [(); 3].map(|()| Port::keep());
        let [port, distribution, mapping] = [0, 1, 2].map(|at: usize| kept[at].number());
        settings(folder.path(), ca, port);
        let mapper = spawn(
            Command::new("epmd").args(["-address", "127.0.0.1", "-port", &mapping.to_string()]),
            folder.path(),
        );
        let broker = broker(folder.path(), distribution, mapping);
        let mut rabbit = Rabbit { folder, mapper, broker, port, files, _kept: kept };
        rabbit.wait();
        rabbit
    }

    /// Has pika do this, see `tests/rig/amqp.py`; what it read.
    ///
    /// # Panics
    ///
    /// If it cannot.
    pub fn pika(&self, actions: &[&str]) -> Vec<Published> {
        let port = self.port.to_string();
        let files: Vec<_> = self.files.iter().map(|file| file.display().to_string()).collect();
        let mut arguments = vec![port.as_str()];
        arguments.extend(files.iter().map(String::as_str));
        arguments.extend(actions);
        python_lines_with("sensu", "amqp.py", &arguments)
    }

    fn said(&self) -> String {
        fs::read_to_string(self.folder.path().join("said")).unwrap_or_default()
    }

    fn wait(&mut self) {
        wait_until("RabbitMQ is there", || {
            let ended = self.broker.try_wait().expect("a child can be asked");
            assert!(ended.is_none(), "rabbitmq-server: {ended:?}");
            self.said().contains("Server startup complete")
        });
    }
}

impl Drop for Rabbit {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("what RabbitMQ said: {}", self.said());
        }
        // The broker is a child of its script, and its helpers end with it.
        for child in [&mut self.broker, &mut self.mapper] {
            let _ = kill_process_group(Pid::from_child(child), Signal::KILL);
            let _ = child.wait();
        }
    }
}

fn settings(folder: &Path, ca: &Ca, port: u16) {
    let file = |name: &str| ca.path(name).display().to_string();
    let config = format!(
        "listeners.tcp = none\n\
         listeners.ssl.1 = 127.0.0.1:{port}\n\
         ssl_options.cacertfile = {}\n\
         ssl_options.certfile = {}\n\
         ssl_options.keyfile = {}\n\
         ssl_options.verify = verify_peer\n\
         ssl_options.fail_if_no_peer_cert = true\n\
         auth_mechanisms.1 = PLAIN\n\
         auth_mechanisms.2 = EXTERNAL\n\
         ssl_cert_login_from = common_name\n\
         default_user = client.test\n\
         default_pass = hush-hush\n\
         default_vhost = /sensu\n\
         log.console = true\n\
         log.file = false\n",
        file("ca.pem"),
        file("broker.test.pem"),
        file("broker.test.key"),
    );
    fs::write(folder.join("rabbitmq.conf"), config).expect("a file");
    fs::write(folder.join("plugins"), "[rabbitmq_auth_mechanism_ssl].\n").expect("a file");
}

fn broker(folder: &Path, distribution: u16, mapping: u16) -> Child {
    let in_folder = |name: &str| folder.join(name).display().to_string();
    let mut command = Command::new("/usr/lib/rabbitmq/bin/rabbitmq-server");
    command
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("HOME", folder)
        .env("LANG", "C.UTF-8")
        .env("ERL_EPMD_ADDRESS", "127.0.0.1")
        .env("ERL_EPMD_PORT", mapping.to_string())
        .env("RABBITMQ_NODENAME", "ops@localhost")
        .env("RABBITMQ_DIST_PORT", distribution.to_string())
        .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "-kernel inet_dist_use_interface {127,0,0,1}")
        .env("RABBITMQ_CONF_ENV_FILE", "/dev/null")
        .env("RABBITMQ_CONFIG_FILE", in_folder("rabbitmq"))
        .env("RABBITMQ_ENABLED_PLUGINS_FILE", in_folder("plugins"))
        .env("RABBITMQ_MNESIA_BASE", in_folder("mnesia"))
        .env("RABBITMQ_LOG_BASE", in_folder("log"))
        .env("RABBITMQ_PID_FILE", in_folder("pid"));
    spawn(&mut command, folder)
}

fn spawn(command: &mut Command, folder: &Path) -> Child {
    let said = fs::OpenOptions::new().create(true).append(true).open(folder.join("said")).expect("a file");
    let more = said.try_clone().expect("a file");
    let command = command.stdin(Stdio::null()).stdout(said).stderr(more).process_group(0);
    command.spawn().expect("RabbitMQ runs: install rabbitmq-server, or set OPS_WITHOUT_RABBITMQ")
}
