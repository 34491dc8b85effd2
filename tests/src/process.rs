//! The local process as a process of its own: started, called over HTTP, killed, started again.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

/// A running local process; ended when dropped.
#[derive(Debug)]
pub struct LocalProcess {
    child: Child,
    /// Where it answers.
    pub base_url: String,
    /// The token of its first workspace.
    pub token: String,
    /// What opens further workspaces.
    pub operator_token: String,
}

impl LocalProcess {
    /// Starts the program on this data and waits until it answers.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(program: &Path, data_dir: &Path) -> Self {
        Self::run(&mut Command::new(program), data_dir)
    }

    /// The same; everything that it has to say goes to this file.
    ///
    /// # Panics
    /// When it does not start.
    pub fn logging(program: &Path, data_dir: &Path, log: &Path) -> Self {
        let log = std::fs::File::create(log).expect("a file for the log");
        // Stand-ins for the world listen on this machine.
        let mut command = Command::new(program);
        command.arg("--allow-private-outbound").env("LOG_LEVEL", "trace").stderr(log);
        Self::run(&mut command, data_dir)
    }

    /// The same, with these arguments besides, and without a log.
    ///
    /// # Panics
    /// When it does not start.
    pub fn with(program: &Path, data_dir: &Path, arguments: &[&str]) -> Self {
        Self::run(Command::new(program).args(arguments).stderr(Stdio::null()), data_dir)
    }

    /// The same with this variable in its environment.
    ///
    /// # Panics
    /// When it does not start.
    pub fn with_env(program: &Path, data_dir: &Path, variable: Option<(&str, String)>) -> Self {
        Self::run(Command::new(program).envs(variable), data_dir)
    }

    fn run(command: &mut Command, data_dir: &Path) -> Self {
        let command = command.args(["--port", "0", "--data-dir"]).arg(data_dir).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let mut first = String::new();
        let mut output = BufReader::new(child.stdout.take().expect("a standard output"));
        output.read_line(&mut first).expect("a first line");
        // The rest of the welcome is read away, so that the process never writes into a closed pipe.
        std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
        let credentials =
            std::fs::read_to_string(data_dir.join("credentials.json")).expect("credentials.json");
        let credentials: Value = serde_json::from_str(&credentials).expect("JSON");
        let token = |name: &str| credentials[name].as_str().expect("a token").to_owned();
        let (token, operator_token) = (token("token"), token("operator_token"));
        Self { child, base_url: first.trim().to_owned(), token, operator_token }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it as a power cut would: SIGKILL, and nothing can be finished.
    pub fn kill(mut self) {
        self.end();
    }

    /// Tells it to end, as whoever operates it does.
    ///
    /// # Panics
    /// When there is no program to tell it with.
    pub fn terminate(&self) {
        let told = Command::new("kill").args(["-TERM", &self.id().to_string()]).status();
        told.expect("the program kill");
    }

    /// Whether it has ended by itself, which may take it a moment.
    pub fn has_ended(&mut self) -> bool {
        for _ in 0..200 {
            if self.child.try_wait().is_ok_and(|ended| ended.is_some()) {
                return true;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        false
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for LocalProcess {
    fn drop(&mut self) {
        self.end();
    }
}

/// The folder of the repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_owned).unwrap_or_default()
}
