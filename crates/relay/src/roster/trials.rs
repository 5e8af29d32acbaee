//! What of an account is tried out: everything, or families of models, each by one call at a time.

use parking_lot::Mutex;
use relay_core::model::ModelFamily;

/// The trials of an account that are under way: no more than calls are.
#[derive(Debug, Default)]
pub(super) struct Trials(Mutex<Vec<Trial>>);

/// What a call tries out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trial {
    /// All of it.
    Account,
    /// A family of models.
    Family(ModelFamily),
}

impl Trials {
    /// Whether a trial has to wait for one that is under way.
    pub(super) fn bar(&self, trial: &Trial) -> bool {
        overlaps(&self.0.lock(), trial)
    }

    /// Begins a trial, unless it has to wait for another.
    pub(super) fn begin(&self, trial: &Trial) -> bool {
        let mut under_way = self.0.lock();
        let may = !overlaps(&under_way, trial);
        if may {
            under_way.push(trial.clone());
        }
        may
    }

    pub(super) fn end(&self, trial: &Trial) {
        let mut under_way = self.0.lock();
        if let Some(at) = under_way.iter().position(|it| it == trial) {
            under_way.swap_remove(at);
        }
    }
}

fn overlaps(under_way: &[Trial], trial: &Trial) -> bool {
    under_way.iter().any(|it| it == trial || *it == Trial::Account || *trial == Trial::Account)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_tried_out_beside_each_other_and_the_account_alone() {
        let family = |model| Trial::Family(ModelFamily::of(model));
        let (opus, haiku) = (family("claude-opus-4-8"), family("claude-haiku-4-5"));
        let trials = Trials::default();
        assert!(trials.begin(&opus) && !trials.begin(&opus) && trials.bar(&opus));
        assert!(trials.begin(&haiku));
        assert!(!trials.begin(&Trial::Account));
        trials.end(&opus);
        trials.end(&haiku);
        assert!(trials.begin(&Trial::Account));
        assert!(!trials.begin(&haiku) && trials.bar(&haiku));
        trials.end(&Trial::Account);
        assert!(!trials.bar(&haiku));
    }
}
