//! Reads the [Test Anything Protocol](https://testanything.org/tap-version-13-specification.html), strictly:
//! every point has its number, and every document a plan that is kept.

use serde_json::Value;

/// What a point says of itself beside its result.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Directive {
    None,
    Skip,
    /// It may be bad.
    Todo,
}

#[derive(PartialEq, Eq, Debug)]
pub(super) struct Point {
    pub(super) good: bool,
    pub(super) directive: Directive,
    /// The line.
    pub(super) text: String,
}

/// What a program printed: one document, or several after each other.
#[derive(Default, Debug)]
pub(super) struct Tap {
    pub(super) points: Vec<Point>,
    /// `error` of the diagnostics that belong to no point.
    pub(super) errors: Vec<String>,
    /// Bad points of the payload, which a program shows in its diagnostics.
    pub(super) inner: Vec<String>,
    /// What is no TAP.
    pub(super) problems: Vec<String>,
    documents: Vec<Document>,
}

#[derive(Default, Debug)]
struct Document {
    points: usize,
    plan: Option<usize>,
}

pub(super) fn read(text: &str) -> Tap {
    let mut tap = Tap::default();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        match line {
            "TAP version 13" => tap.documents.push(Document::default()),
            "  ---" => {
                let block = lines.by_ref().take_while(|line| *line != "  ...");
                tap.diagnostic(&block.collect::<Vec<_>>().join("\n"));
            }
            line if line.starts_with("Bail out!") => tap.problems.push(line.into()),
            line => tap.line(line),
        }
    }
    tap.close();
    tap
}

impl Tap {
    fn line(&mut self, line: &str) {
        let plan = line.strip_prefix("1..").and_then(|count| count.parse().ok());
        let point = line
            .strip_prefix("not ok ")
            .map(|rest| (false, rest))
            .or_else(|| line.strip_prefix("ok ").map(|rest| (true, rest)));
        let Some(document) = self.documents.last_mut() else {
            // What is printed before the first document, and between points, is remarks.
            let lost = plan.is_some() || point.is_some();
            self.problems.extend(lost.then(|| format!("outside of a document: {line}")));
            return;
        };
        if let Some(plan) = plan {
            let twice = document.plan.replace(plan).is_some();
            self.problems.extend(twice.then(|| format!("a second plan: {line}")));
        } else if let Some((good, rest)) = point {
            document.points += 1;
            let number = rest.split(' ').next().and_then(|number| number.parse().ok());
            if number != Some(document.points) {
                let wanted = document.points;
                self.problems.push(format!("point {wanted} is not counted right: {line}"));
            }
            self.points.push(Point { good, directive: directive(rest), text: line.into() });
        }
    }

    /// One after a point belongs to it; one before the first is judged by its `error`.
    fn diagnostic(&mut self, text: &str) {
        let value: Value = match serde_json::from_str(text) {
            Ok(value) => value,
            Err(error) => return self.problems.push(format!("a diagnostic: {error}")),
        };
        let inner = value.get("stdout").and_then(Value::as_str).unwrap_or_default();
        let bad = inner.lines().filter(|line| line.starts_with("not ok"));
        self.inner.extend(bad.map(|line| format!("inside: {line}")));
        if self.documents.last().is_some_and(|document| document.points > 0) {
            return;
        }
        let error = value.get("error").and_then(Value::as_str).unwrap_or_default();
        self.errors.extend((!error.is_empty()).then(|| error.to_string()));
    }

    fn close(&mut self) {
        if self.documents.is_empty() {
            self.problems.push("no TAP".into());
        }
        for Document { points, plan } in &self.documents {
            match plan {
                Some(plan) if plan == points => {}
                Some(plan) => self.problems.push(format!("{plan} points planned, {points} made")),
                None => self.problems.push(format!("no plan after {points} points")),
            }
        }
    }
}

fn directive(rest: &str) -> Directive {
    match rest.split_once(" # ").map(|(_, directive)| directive.to_uppercase()) {
        Some(text) if text.starts_with("SKIP") => Directive::Skip,
        Some(text) if text.starts_with("TODO") => Directive::Todo,
        _ => Directive::None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Directive, read};

    fn problems(text: &str) -> Vec<String> {
        read(text).problems
    }

    #[test]
    fn points_and_their_directives() {
        let tap = read(
            "TAP version 13\nok 1 - a\n  ---\n  {\"error\": \"not ok 7\"}\n  ...\nnot ok 2 - b\n# why\n\
             ok 3 # SKIP c\nnot ok 4 - d # TODO\n1..4\n",
        );
        let found: Vec<_> = tap.points.iter().map(|point| (point.good, point.directive)).collect();
        let wanted = [
            (true, Directive::None),
            (false, Directive::None),
            (true, Directive::Skip),
            (false, Directive::Todo),
        ];
        assert_eq!(found, wanted);
        assert_eq!(tap.problems, [""; 0]);
        assert_eq!(tap.errors, [""; 0]);
    }

    #[test]
    fn what_is_no_tap() {
        assert_eq!(problems(""), ["no TAP"]);
        assert_eq!(problems("ok 1 - a\n"), ["outside of a document: ok 1 - a", "no TAP"]);
        assert_eq!(problems("TAP version 13\nok 1 - a\n"), ["no plan after 1 points"]);
        assert_eq!(problems("TAP version 13\nok 1 - a\n1..2\n"), ["2 points planned, 1 made"]);
        assert_eq!(
            problems("TAP version 13\nok 2 - a\n1..1\n"),
            ["point 1 is not counted right: ok 2 - a"]
        );
        assert_eq!(problems("TAP version 13\n1..0\n1..0\n"), ["a second plan: 1..0"]);
        assert_eq!(problems("TAP version 13\nBail out! no\n1..0\n"), ["Bail out! no"]);
    }

    #[test]
    fn each_document_counts_for_itself() {
        let tap = read("TAP version 13\nok 1 - a\n1..1\nTAP version 13\nok 1 - b\n1..1\n");
        assert_eq!((tap.points.len(), tap.problems.len()), (2, 0));
    }

    #[test]
    fn an_error_without_a_point() {
        let tap = read("TAP version 13\n  ---\n  {\"error\": \"order\"}\n  ...\n1..0\n");
        assert_eq!((tap.errors, tap.problems.len()), (vec!["order".to_string()], 0));
    }
}
