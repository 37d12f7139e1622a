//! What the node does when users come from a file, for clients that wait for that, and when logins have ended.

use super::accounts::{UsersJob, dismiss, stays};
use super::waiting::{Cause, Until};
use super::{Node, Now};
use crate::auth::default_user::{is_missing, missing, overrules};
use crate::auth::file::{Loaded, UNCHANGED};
use crate::protocol::Reply;

impl Node {
    /// What random bytes come from that nobody can foresee.
    pub fn random_by(&mut self, source: impl FnMut(&mut [u8]) + 'static) {
        self.accounts.randomness = Some(Box::new(source));
    }

    /// There are these users from here on and no others. Who is none of them is disconnected.
    pub fn set_users(&mut self, loaded: Loaded) {
        self.users.replace(loaded, self.settings.options.password);
        self.accounts.logins.keep_valid(&self.users);
        self.dismiss_who_may_not_stay();
    }

    /// Whose login has ended gets nothing more of what goes on by it.
    pub(super) fn end_logins(&mut self, now: Now) {
        if self.accounts.logins.take_ended(now.monotonic_us) {
            self.dismiss_who_may_not_stay();
        }
    }

    fn dismiss_who_may_not_stay(&mut self) {
        let mut gone = Vec::new();
        for (id, client) in self.sessions.clients_mut() {
            if !stays(client, &self.users, &self.accounts.logins) {
                dismiss(id, client, &mut self.channels.pubsub);
                gone.push(id);
            }
        }
        gone.into_iter().for_each(|id| self.sessions.dismiss(id));
    }

    /// The file, if there is one, is to be read again, though no client asks for it.
    pub fn reload_users(&mut self) {
        if !self.settings.options.users_file.is_empty() {
            self.accounts.file.add(UsersJob::Load);
        }
    }

    /// The next to be done with the file of users, by whoever may take time. Followed by [`Node::users_loaded`] or
    /// [`Node::users_saved`], in the same order.
    pub fn next_users_job(&mut self) -> Option<UsersJob> {
        self.accounts.file.to_do.pop_front()
    }

    /// The file was read: its users, or what is wrong with it. Then nothing is changed.
    pub fn users_loaded(&mut self, loaded: Result<Loaded, String>) {
        let loaded = loaded.and_then(|loaded| self.keeps_closed(&loaded).map(|()| loaded));
        let done = loaded.inspect(|loaded| {
            log::info!(
                event = "acl_reloaded", users = loaded.len();
                "the ACL file was read again: {} users", loaded.len()
            )
        });
        let done = done.inspect_err(|why| {
            log::error!(
                event = "acl_reload_failed", why:%;
                "the ACL file was read again, and nothing was changed: {why}"
            )
        });
        // The answer comes before a connection ends.
        self.answer_for_file(done.as_ref().map(|_| ()).map_err(|why| format!("ERR {why}")));
        if let Ok(loaded) = done {
            self.set_users(loaded);
        }
    }

    /// The file was written, or why not.
    pub fn users_saved(&mut self, saved: Result<(), String>) {
        let saved = saved.inspect_err(|why| log::error!(event = "acl_save_failed", why:%; "ACL SAVE: {why}"));
        let failed =
            "ERR There was an error trying to save the ACLs. Please check the server logs for more information";
        self.answer_for_file(saved.map_err(|_| failed.to_owned()));
    }

    /// A file that is read again does not open a node for want of a line, or against a password: that is a slip, or a
    /// file that is half written.
    fn keeps_closed(&self, loaded: &Loaded) -> Result<(), String> {
        let (name, password) = (&self.settings.options.users_file, self.settings.options.password);
        if is_missing(loaded) && password.is_none() && self.needs_password() {
            return Err(format!("{}. {UNCHANGED}", missing(name).join(": ")));
        }
        match password.and_then(|password| overrules(name, loaded, &password)) {
            Some(overruled) if overruled.is_open => Err(format!("{}. {UNCHANGED}", overruled.why)),
            Some(overruled) => {
                log::warn!(event = "password_overruled"; "{}. The node would not start so", overruled.why);
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn answer_for_file(&mut self, done: Result<(), String>) {
        self.accounts.file.done += 1;
        let until = Until::UsersFile(self.accounts.file.done);
        let mut waiters = self.sessions.waiting.of(Cause::UsersFile).iter();
        let Some(id) = waiters.find(|waiter| waiter.until == until).map(|waiter| waiter.id) else { return };
        self.sessions.forget(id);
        let done = done.map_err(|why| why.replace(['\r', '\n'], " "));
        self.sessions.end_wait(id, &[done.as_ref().map_or_else(|why| Reply::Fail(why), |()| Reply::Ok)]);
    }
}
