//! The hosts that accounts are reached at: what several accounts meet at one is its own.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Weak};

use http::Uri;
use parking_lot::Mutex;
use relay_core::clock::Timestamp;
use relay_core::health::{HostFault, HostHealth, Noted, Standing};
use relay_core::model::ModelFamily;

/// The hosts of all accounts.
#[derive(Debug, Default)]
pub(super) struct Hosts(Mutex<HashMap<String, Weak<Host>>>);

/// One host, for all accounts that are reached at it.
#[derive(Debug)]
pub struct Host {
    /// Its name and port.
    pub name: String,
    health: Mutex<HostHealth>,
    /// The families that a call tries out.
    probed: Mutex<BTreeSet<ModelFamily>>,
}

/// The right to try out a host for a family of models.
#[derive(Debug)]
pub(super) struct HostProbe {
    host: Arc<Host>,
    family: ModelFamily,
}

impl Drop for HostProbe {
    fn drop(&mut self) {
        self.host.probed.lock().remove(&self.family);
    }
}

impl Hosts {
    /// The host of a base URL.
    pub(super) fn at(&self, base_url: &str) -> Arc<Host> {
        let uri: Option<Uri> = base_url.parse().ok();
        let name = uri.and_then(|uri| Some(uri.authority()?.as_str().to_ascii_lowercase()));
        let name = name.unwrap_or_else(|| base_url.to_owned());
        let mut hosts = self.0.lock();
        hosts.retain(|_, host| host.strong_count() > 0);
        if let Some(host) = hosts.get(&name).and_then(Weak::upgrade) {
            return host;
        }
        let host = Arc::new(Host {
            name: name.clone(),
            health: Mutex::default(),
            probed: Mutex::default(),
        });
        hosts.insert(name, Arc::downgrade(&host));
        host
    }
}

impl Host {
    /// Takes note of a fault; tells the rest that follows, if it is the host's.
    pub fn fault(&self, fault: HostFault<'_>, now: Timestamp, jitter: u8) -> Option<Noted> {
        self.health.lock().fault(fault, now, jitter)
    }

    /// Takes note of an answer to a call that was sent at `sent`.
    pub fn answered(&self, family: &ModelFamily, sent: Timestamp) {
        self.health.lock().answered(family, sent);
    }

    /// Whether calls for `family` go to it.
    pub fn standing(&self, family: &ModelFamily, now: Timestamp) -> Standing {
        self.health.lock().standing(family, now)
    }

    /// Its rests at `now`.
    pub fn rests(&self, now: Timestamp) -> Vec<(ModelFamily, relay_core::health::Rest)> {
        let health = self.health.lock();
        health.rests(now).map(|(family, rest)| (family.clone(), rest)).collect()
    }

    pub(super) fn reset(&self) {
        self.health.lock().reset();
    }

    pub(super) fn is_probed(&self, family: &ModelFamily) -> bool {
        self.probed.lock().contains(family)
    }

    pub(super) fn try_probe(self: &Arc<Self>, family: &ModelFamily) -> Option<HostProbe> {
        let is_first = self.probed.lock().insert(family.clone());
        is_first.then(|| HostProbe { host: Arc::clone(self), family: family.clone() })
    }
}
