//! Dimension sets of the process: by which of its own dimensions (`OPS_DIMENSIONS`) each metric is told, once for each
//! set. A metric keeps the dimensions that its call site gave it in every set; a site's `rollup` is what leaves those
//! out. Unless a set is named, there is one of all dimensions.

use std::borrow::Cow;

use crate::backend::Context;
use crate::error::Error;

/// Sets of one process; each is a series of its own to pay for.
const SETS_MAX: usize = 10;

/// Names of the process's dimensions, set by set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::backend) struct Sets {
    of_process: Vec<String>,
    /// None is one set of all.
    sets: Vec<Vec<String>>,
}

impl Sets {
    /// What the program said, else the variable, as in `Service,Host;Service;-`: a dash is the set of none of them.
    ///
    /// # Errors
    ///
    /// If a name is none of the process's dimensions, a set is there twice, or there are more than ten.
    pub(in crate::backend) fn find(
        told: &[Vec<String>],
        variable: &str,
        context: &Context,
    ) -> Result<Sets, Error> {
        let mut sets = match told {
            [] => parse(&(context.var)(variable).unwrap_or_default()),
            told => told.to_vec(),
        };
        let of_process: Vec<String> = context.dimensions.iter().map(|(name, _)| name.clone()).collect();
        let refused = |problem: String| {
            let remedy = "name dimensions of the process (OPS_DIMENSIONS), a set after the other, as in \
                          \"Service,Host;Service;-\"";
            Error::setting(format!("{variable} / .dimension_set(..)"), problem, remedy)
        };
        for set in &mut sets {
            set.sort();
            set.dedup();
        }
        if let Some(name) = sets.iter().flatten().find(|name| !of_process.contains(name)) {
            return Err(refused(format!("\"{}\" is no dimension of the process", name.escape_debug())));
        }
        if sets.iter().enumerate().any(|(at, set)| sets[..at].contains(set)) {
            return Err(refused("a set is there twice, and would count twice".to_owned()));
        }
        if sets.len() > SETS_MAX {
            return Err(refused(format!("{} sets; at most {SETS_MAX} are told", sets.len())));
        }
        Ok(Sets { of_process, sets })
    }

    /// Which of a metric's dimensions are in each set, by their index; `None` is one set of all.
    pub(in crate::backend) fn kept(
        &self,
        dimensions: &[(Cow<'_, str>, Cow<'_, str>)],
    ) -> Option<Vec<Vec<usize>>> {
        if self.sets.is_empty() {
            return None;
        }
        let mut kept: Vec<Vec<usize>> = Vec::with_capacity(self.sets.len());
        for set in &self.sets {
            let of_set = self.indexes(set, dimensions);
            // Sets that differ may be the same for a metric of an earlier run, which had other dimensions.
            if !kept.contains(&of_set) {
                kept.push(of_set);
            }
        }
        Some(kept)
    }

    fn indexes(&self, set: &[String], dimensions: &[(Cow<'_, str>, Cow<'_, str>)]) -> Vec<usize> {
        let is_in = |name: &str| {
            let is = |other: &String| other == name;
            !self.of_process.iter().any(is) || set.iter().any(is)
        };
        (0..dimensions.len()).filter(|at| is_in(&dimensions[*at].0)).collect()
    }
}

fn parse(text: &str) -> Vec<Vec<String>> {
    let names = |set: &str| match set {
        "-" => Vec::new(),
        set => set.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect(),
    };
    text.split(';').map(str::trim).filter(|set| !set.is_empty()).map(names).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::context;
    use super::*;

    fn sets(text: &str) -> Result<Sets, Error> {
        let mut context = context(&[("SETS", text)]);
        context.dimensions = ["Service", "Host"].map(|name| (name.to_owned(), "x".to_owned())).to_vec();
        Sets::find(&[], "SETS", &context)
    }

    fn told(sets: &Sets, names: &[&'static str]) -> Vec<Vec<&'static str>> {
        let dimensions: Vec<_> = names.iter().map(|name| (Cow::from(*name), "v".into())).collect();
        let kept = sets.kept(&dimensions).unwrap_or_else(|| vec![(0..names.len()).collect()]);
        kept.iter().map(|set| set.iter().map(|at| names[*at]).collect()).collect()
    }

    #[test]
    fn a_metric_is_told_by_each_set_and_its_own_dimensions() {
        let names = ["Host", "Region", "Service"];
        assert_eq!(told(&sets("").unwrap(), &names), [names]);
        let three = sets(" Service , Host;Service;- ").unwrap();
        let wanted = [&["Host", "Region", "Service"][..], &["Region", "Service"], &["Region"]];
        assert_eq!(told(&three, &names), wanted);
        assert_eq!(told(&three, &["Region"]), [["Region"]], "what is the same is told once");
    }

    #[test]
    fn a_set_that_means_nothing_is_told_with_its_setting() {
        let eleven = (0..11).map(|_| "Host").collect::<Vec<_>>().join(";");
        for bad in ["Color", "Service;Service", "Host,Service;Service,Host", "-;-", eleven.as_str()] {
            let error = sets(bad).unwrap_err().to_string();
            assert!(error.starts_with("SETS / .dimension_set(..): "), "{error}");
        }
    }
}
