//! Many seeds, several at once: they wait more than they work.

use std::{
    any::Any,
    env,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Condvar, LazyLock, Mutex},
    thread,
    time::Duration,
};

use tokio::{runtime::Builder, time::timeout};

/// How long one seed may take: most need a few seconds, and a machine may be busy.
const PATIENCE: Duration = Duration::from_secs(600);

fn number_of(variable: &str) -> Option<u64> {
    env::var(variable).ok()?.parse().ok()
}

/// How many more may run now, whatever test they are of.
static FREE: LazyLock<(Mutex<u64>, Condvar)> = LazyLock::new(|| {
    let cores = thread::available_parallelism().map_or(1, usize::from) as u64;
    let jobs = number_of("JOBS").filter(|jobs| *jobs > 0).unwrap_or(2 * cores);
    (Mutex::new(jobs), Condvar::new())
});

/// Leave to run; it is given back with this.
struct Job;

impl Job {
    fn wait() -> Self {
        let (free, freed) = &*FREE;
        let mut free = freed.wait_while(free.lock().unwrap(), |free| *free == 0).unwrap();
        *free -= 1;
        Self
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        *FREE.0.lock().unwrap() += 1;
        FREE.1.notify_one();
    }
}

/// Runs `RUNS` seeds from `SEED` on, `JOBS` of them at once. One that fails hides no other.
///
/// # Panics
/// Where any failed.
pub(super) fn run<F: Future<Output = ()>>(what: &str, one: fn(u64) -> F) {
    if env::var_os("TRACE").is_some() {
        let _ = tracing_subscriber::fmt()
            .with_env_filter("info,sqlx=warn,everhold::watch::assess=off")
            .try_init();
    }
    let (first, runs) = (number_of("SEED").unwrap_or(1), number_of("RUNS").unwrap_or(4));
    let failed = thread::scope(|scope| {
        let begin = |seed| {
            let job = Job::wait();
            let name = format!("{what}: SEED={seed}");
            println!("{name}");
            let told = name.clone();
            let work = move || {
                let end = attempt(seed, one, job);
                if let Err(why) = &end {
                    println!("{told} failed: {why}\n    SEED={seed} RUNS=1 make soak");
                }
                end.is_ok()
            };
            // What panics is told with the thread's name.
            (seed, thread::Builder::new().name(name).spawn_scoped(scope, work).unwrap())
        };
        let running: Vec<_> = (first..first + runs).map(begin).collect();
        let failed = running.into_iter().filter_map(|(seed, thread)| {
            let passed = thread.join().unwrap();
            (!passed).then_some(seed)
        });
        failed.collect::<Vec<_>>()
    });
    let passed = runs - failed.len() as u64;
    println!("{what}: {passed} of {runs} seeds passed; failed: {failed:?}");
    assert!(failed.is_empty(), "{what}: seeds {failed:?} failed");
}

/// One seed; why it failed, if it did.
fn attempt<F: Future<Output = ()>>(seed: u64, one: fn(u64) -> F, _job: Job) -> Result<(), String> {
    let work = AssertUnwindSafe(|| {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async { timeout(PATIENCE, one(seed)).await })
    });
    match catch_unwind(work) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(format!("it took more than {PATIENCE:?}")),
        Err(panic) => Err(words(panic.as_ref())),
    }
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    let short = || panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(short).unwrap_or_else(|| "it panicked".to_owned())
}
