//! The cases, a file for each feature.

mod lifecycle;

use crate::harness::case::Feature;

pub(crate) const FEATURES: &[Feature] = &[lifecycle::FEATURE];
