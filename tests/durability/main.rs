//! What is on disk: after `kill -9` at any moment, with a disk that fails, with a file that is not what it should be.
#[path = "../harness/mod.rs"]
mod harness;
#[path = "../harness/pure.rs"]
mod pure;

mod backups;
mod crashes;
mod disk;
mod disk_faults;
mod files;
mod flushes;
mod formats;
mod history;
mod place;
mod play;
mod schedules;
mod small_disk;
