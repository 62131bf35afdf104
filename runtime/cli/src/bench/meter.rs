//! What a piece of work cost, read from Linux's `/proc` and `/sys`. Where they are not, the numbers are 0.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

/// Clock ticks a second in `/proc/self/stat`: USER_HZ, which Linux fixes at 100 for all programs.
const TICKS: f64 = 100.0;
/// The unit of `/sys/block/*/stat`.
const SECTOR: u64 = 512;
const MIB: f64 = 1_048_576.0;

/// The state of this process, of the database's server and of the disks at one moment.
pub struct Meter {
    at: Instant,
    cpu: f64,
    /// The server's first process, and the seconds of all of them.
    server: Option<(u32, f64)>,
    written: u64,
    flushes: u64,
}

/// What lies between two moments.
pub struct Spent {
    /// Wall time.
    pub wall: Duration,
    /// Seconds of CPU of this process: engine, sandbox, store and the clients of the measurement.
    pub cpu_s: f64,
    /// Seconds of CPU of the database's server, where it is known.
    pub server_cpu_s: Option<f64>,
    /// Bytes that all disks of the machine took.
    pub written: u64,
    /// Flushes of all disks of the machine.
    pub flushes: u64,
}

impl Meter {
    /// Begins.
    pub fn start() -> Meter {
        Meter::beside(None)
    }

    /// Begins, and counts the server of a database by its first process.
    pub fn beside(server: Option<u32>) -> Meter {
        let (written, flushes) = disks();
        let server = server.map(|pid| (pid, family_cpu(pid)));
        Meter { at: Instant::now(), cpu: cpu(), server, written, flushes }
    }

    /// Ends.
    pub fn stop(&self) -> Spent {
        let (wall, cpu) = (self.at.elapsed(), cpu());
        let (written, flushes) = disks();
        Spent {
            wall,
            cpu_s: cpu - self.cpu,
            server_cpu_s: self.server.map(|(pid, before)| family_cpu(pid) - before),
            written: written.saturating_sub(self.written),
            flushes: flushes.saturating_sub(self.flushes),
        }
    }
}

impl Spent {
    /// Seconds of CPU of this process and of the server.
    pub fn all_cpu_s(&self) -> f64 {
        self.cpu_s + self.server_cpu_s.unwrap_or(0.0)
    }

    /// The peers' fields for so many steps.
    pub fn fields(&self, steps: usize) -> Map<String, Value> {
        let each = |total: f64| round(total / steps.max(1) as f64);
        let mut cpu = json!({ "server": round(self.cpu_s) });
        if let Some(seconds) = self.server_cpu_s {
            cpu["postgres"] = json!(round(seconds));
        }
        let fields = json!({
            "peak_rss_mib": { "server": round(memory("VmHWM:") as f64 / MIB) },
            "cpu_s": cpu,
            "cpu_us_per_step": each(self.all_cpu_s() * 1e6),
            "dev_flushes": self.flushes,
            "flushes_per_step": each(self.flushes as f64),
            "dev_written_mib": round(self.written as f64 / MIB),
            "dev_written_b_per_step": each(self.written as f64),
        });
        match fields {
            Value::Object(fields) => fields,
            _ => Map::new(),
        }
    }
}

/// Bytes resident now.
pub fn resident() -> u64 {
    memory("VmRSS:")
}

/// Bytes that the files below a folder take on the disk, not their length.
pub fn on_disk(folder: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let size = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => on_disk(&entry.path()),
        Ok(meta) => meta.blocks() * SECTOR,
        Err(_) => 0,
    };
    entries.flatten().map(size).sum()
}

/// Three digits after the point are more than any of these numbers is worth.
pub fn round(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

/// The value below which this part of the samples lies, in milliseconds.
pub fn percentile(samples: &mut [Duration], part: f64) -> f64 {
    samples.sort_unstable();
    let last = samples.len().saturating_sub(1);
    let at = (last as f64 * part).round() as usize;
    samples.get(at).map_or(0.0, |sample| round(sample.as_secs_f64() * 1e3))
}

fn cpu() -> f64 {
    let fields = stat("self");
    (fields[UTIME] + fields[UTIME + 1]) / TICKS
}

/// Of a process, its children, and those of them that are gone.
fn family_cpu(pid: u32) -> f64 {
    let first = stat(&pid.to_string());
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let stats = processes.map(|entry| stat(&entry.file_name().to_string_lossy()));
    let children = stats.filter(|fields| fields[PARENT] == f64::from(pid));
    let children: f64 = children.map(|fields| fields[UTIME] + fields[UTIME + 1]).sum();
    (first[UTIME..UTIME + 4].iter().sum::<f64>() + children) / TICKS
}

/// Where the numbers of [`stat`] stand: the parent; the time in user mode, then in the kernel, then both of the children
/// that are gone.
const PARENT: usize = 1;
const UTIME: usize = 11;

/// The first fields of a process's `stat` that come after its name, as numbers; all 0 where there is no such process.
fn stat(process: &str) -> [f64; UTIME + 4] {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The name of the program may hold anything; what follows its parenthesis is fields by number, from the third.
    let mut fields = text.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace();
    std::array::from_fn(|_| fields.next().and_then(|field| field.parse().ok()).unwrap_or(0.0))
}

fn memory(line: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let found = text.lines().find_map(|found| found.strip_prefix(line)).unwrap_or("0");
    found.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) * 1024
}

fn disks() -> (u64, u64) {
    let Ok(entries) = std::fs::read_dir("/sys/block") else { return (0, 0) };
    let whole = |entry: &std::fs::DirEntry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        !["loop", "ram", "zram"].iter().any(|not| name.starts_with(not))
    };
    let mut sum = (0, 0);
    for disk in entries.flatten().filter(whole) {
        let text = std::fs::read_to_string(disk.path().join("stat")).unwrap_or_default();
        let fields: Vec<u64> = text.split_whitespace().filter_map(|field| field.parse().ok()).collect();
        sum.0 += fields.get(6).unwrap_or(&0) * SECTOR;
        sum.1 += fields.get(15).unwrap_or(&0);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_samples() {
        let mut samples: Vec<Duration> = (1..=100).rev().map(Duration::from_millis).collect();
        assert_eq!(percentile(&mut samples, 0.5), 51.0);
        assert_eq!(percentile(&mut samples, 0.99), 99.0);
        assert_eq!(percentile(&mut [], 0.5), 0.0);
    }
}
