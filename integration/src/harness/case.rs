//! A case as data.

use crate::ctx::Ctx;
use crate::harness::needs::Need;
use crate::options::Peer;
use crate::result::Res;

/// Who can run a case.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Who {
    Root,
    /// An ordinary user.
    User,
    Either,
}

/// On which peers a case is proved right, or why it cannot be on the others.
#[derive(Clone, Copy)]
pub(crate) enum Proof {
    Both,
    OnlyRunc(&'static str),
    OnlyCrun(&'static str),
    Nowhere(&'static str),
}

pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) who: Who,
    pub(crate) needs: &'static [Need],
    pub(crate) proof: Proof,
    /// Seconds, where a case may take longer than others.
    pub(crate) takes: u64,
    pub(crate) run: fn(&Ctx) -> Res,
}

/// The cases of one feature; a case's full name is `feature.case`.
pub(crate) struct Feature {
    pub(crate) name: &'static str,
    pub(crate) cases: &'static [Case],
}

impl Case {
    pub(crate) const fn new(name: &'static str, who: Who, run: fn(&Ctx) -> Res) -> Case {
        Case { name, who, needs: &[], proof: Proof::Both, takes: 0, run }
    }

    pub(crate) const fn needs(mut self, needs: &'static [Need]) -> Case {
        self.needs = needs;
        self
    }

    pub(crate) const fn takes(mut self, seconds: u64) -> Case {
        self.takes = seconds;
        self
    }

    /// `why` says what crun does otherwise.
    pub(crate) const fn only_runc(mut self, why: &'static str) -> Case {
        self.proof = Proof::OnlyRunc(why);
        self
    }

    /// `why` says what runc does otherwise.
    pub(crate) const fn only_crun(mut self, why: &'static str) -> Case {
        self.proof = Proof::OnlyCrun(why);
        self
    }

    /// Skep's own behaviour; `why` says what both peers do otherwise.
    pub(crate) const fn ours(mut self, why: &'static str) -> Case {
        self.proof = Proof::Nowhere(why);
        self
    }

    /// Why `peer` cannot prove this case, if it cannot.
    pub(crate) fn unproved(&self, peer: Peer) -> Option<&'static str> {
        match (self.proof, peer) {
            (Proof::Both, _)
            | (Proof::OnlyRunc(_), Peer::Runc)
            | (Proof::OnlyCrun(_), Peer::Crun) => None,
            (Proof::OnlyRunc(why) | Proof::OnlyCrun(why) | Proof::Nowhere(why), _) => Some(why),
        }
    }
}

impl Who {
    pub(crate) fn includes(self, root: bool) -> bool {
        match self {
            Who::Root => root,
            Who::User => !root,
            Who::Either => true,
        }
    }
}

macro_rules! root {
    ($run:ident) => {
        $crate::harness::case::Case::new(stringify!($run), $crate::harness::case::Who::Root, $run)
    };
}

macro_rules! user {
    ($run:ident) => {
        $crate::harness::case::Case::new(stringify!($run), $crate::harness::case::Who::User, $run)
    };
}

macro_rules! either {
    ($run:ident) => {
        $crate::harness::case::Case::new(stringify!($run), $crate::harness::case::Who::Either, $run)
    };
}

pub(crate) use {either, root, user};
