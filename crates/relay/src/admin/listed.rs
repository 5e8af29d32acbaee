//! Lists, a page at a time.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// How many stand on a page, unless asked otherwise, and at most.
const PER_PAGE: usize = 25;
const PER_PAGE_MAX: usize = 100;

/// Which page of a list is asked for.
#[derive(Debug, Clone, Copy, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Paging {
    /// From 1.
    #[param(minimum = 1)]
    pub page: Option<usize>,
    /// How many stand on it: 25 unless given, at most 100.
    #[param(minimum = 1, maximum = 100)]
    pub per_page: Option<usize>,
}

/// A page of a list.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct Listed<T> {
    /// What stands on the page.
    pub items: Vec<T>,
    /// How many there are on all pages.
    pub total: usize,
    /// How many there are by the values of the list's own filter, whatever that is set to.
    pub counts: BTreeMap<String, usize>,
}

impl Paging {
    /// How many stand on a page.
    pub(super) fn size(self) -> usize {
        self.per_page.unwrap_or(PER_PAGE).clamp(1, PER_PAGE_MAX)
    }

    /// How many stand before it.
    pub(super) fn offset(self) -> usize {
        self.page.unwrap_or(1).saturating_sub(1).saturating_mul(self.size())
    }

    /// The page of a list that is in memory.
    pub(super) fn cut<T>(self, all: Vec<T>) -> Vec<T> {
        all.into_iter().skip(self.offset()).take(self.size()).collect()
    }
}
