//! Questions on whole tables: samples and what they leave out, corrections, warnings, mistakes.

mod phase1;

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

use super::{CorrelateError, Finding, Findings, Method, Question, Warning, correlate};
use crate::report;

fn question() -> Question {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Question {
        x: names(&["weighted_kurtosis"]),
        y: "degradation".to_owned(),
        by: Vec::new(),
        covariates: names(&["latin", "log_mc4"]),
        cluster: Some("family".to_owned()),
        label: None,
        confidence: 0.95,
        draws: 500,
        seed: 1,
    }
}

/// The answer to a question on a CSV file with this text.
fn on(text: &str, question: Question) -> Result<Findings, CorrelateError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    std::fs::write(&path, text).unwrap();
    correlate(&path, question)
}

fn only(found: &Findings) -> &Finding {
    assert_eq!((found.samples.len(), found.samples[0].predictors.len()), (1, 1));
    &found.samples[0].predictors[0]
}

/// Two models, a language that has no outcome, an extra predictor: two samples, four tests, one family.
#[test]
fn samples_are_apart_and_corrected_together() {
    let mut text = "language,model,x1,x2,y\n".to_owned();
    for (at, language) in ["eng", "deu", "fra", "fin", "tur", "hin"].iter().enumerate() {
        for model in ["a", "b"] {
            let y = if (*language, model) == ("hin", "b") {
                String::new()
            } else {
                ((at * at) % 7).to_string()
            };
            text += &format!("{language},{model},{},{},{y}\n", at * 3 % 5, at);
        }
    }
    let question = Question {
        x: vec!["x1".to_owned(), "x2".to_owned()],
        y: "y".to_owned(),
        by: vec!["model".to_owned()],
        covariates: Vec::new(),
        cluster: None,
        ..question()
    };
    let found = on(&text, question.clone()).unwrap();
    assert_eq!(found.samples.iter().map(|sample| sample.n).collect::<Vec<_>>(), [6, 5]);
    let dropped = &found.samples[1].dropped[0];
    assert_eq!(
        (dropped.label.as_str(), dropped.place.as_str(), dropped.column.as_str()),
        ("hin", "line 13", "y")
    );
    let family = found.family.as_deref();
    assert_eq!(family, Some("4 tests: Pearson's r of x1, x2 with y in 2 samples by model"));
    for finding in found.samples.iter().flat_map(|sample| &sample.predictors) {
        let correlation = finding.correlation.as_ref().unwrap();
        let corrected = correlation.corrected.unwrap();
        assert!(corrected.holm_p >= correlation.pearson_p && corrected.max_t_p > 0.0);
    }
    assert_eq!(found.samples[0].comparisons.len(), 1);
    let text_of = report::findings(&found);
    for part in [
        "Left out: 1 rows",
        "hin (line 13): no y",
        "y, model b: 5 rows",
        "Does one predictor do better",
    ] {
        assert!(text_of.contains(part), "{part}\n{text_of}");
    }
    let error = on(&text, Question { by: Vec::new(), ..question }).unwrap_err().to_string();
    let part = "line 2 and line 3, column `language`: \"eng\" stands twice: correlate independent rows; split them";
    assert!(error.contains(part), "{error}");
}

#[test]
fn undefined_correlations_are_findings_and_say_why() {
    let question = Question {
        x: vec!["x".to_owned()],
        y: "y".to_owned(),
        covariates: vec![],
        cluster: None,
        ..question()
    };
    let check = |text: &str, reason: &str| {
        let found = on(text, question.clone()).unwrap();
        let finding = only(&found);
        assert_eq!(finding.undefined.as_deref(), Some(reason));
        assert!(finding.correlation.is_none() && report::findings(&found).contains(reason));
    };
    check("x,y\n1,2\n3,4\n", "a correlation needs 3 rows, here are 2: add rows, or split by less");
    let advice =
        "is the same in every row: name a column that varies, or add rows in which it does";
    check("x,y\n1,2\n1,4\n1,5\n", &format!("x {advice}"));
    check("x,y\n1,7\n2,7\n3,7\n", &format!("y {advice}"));
    assert!(report::findings(&on("x,y\n", question.clone()).unwrap()).contains("has no rows"));
}

#[test]
fn one_row_that_carries_it_is_named_and_unknown_languages_too() {
    let mut text = "language,x,y\n".to_owned();
    for (at, language) in ["eng", "deu", "fra", "fin", "tur", "tlh"].iter().enumerate() {
        text += &format!("{language},{},{}\n", at * 3 % 5, at * at % 3);
    }
    text += "ara,40,50\n";
    let question = Question {
        x: vec!["x".to_owned()],
        y: "y".to_owned(),
        covariates: vec!["latin".to_owned()],
        ..question()
    };
    let found = on(&text, question).unwrap();
    let warnings = &only(&found).warnings;
    let carries = |label: &str| {
        warnings
            .iter()
            .any(|warning| matches!(warning, Warning::OneCarries { label: of, .. } if of == label))
    };
    assert!(carries("ara") && carries("Afro-Asiatic"), "{warnings:?}");
    assert!(warnings.contains(&Warning::Unclustered {
        cluster: "family".to_owned(),
        labels: vec!["tlh".to_owned()]
    }));
    assert_eq!(only(&found).partials[0].n, 6);
}

#[test]
fn mistakes_are_refused_with_what_to_do() {
    let check = |change: fn(&mut Question), part: &str| {
        let mut question = question();
        change(&mut question);
        let error = correlate(&phase1::printed(), question).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    };
    check(
        |q| q.y = "degradatoin".to_owned(),
        "no column `degradatoin`: did you mean `degradation`?",
    );
    check(|q| q.x.push("degradation".to_owned()), "column `degradation` stands twice");
    check(
        |q| q.covariates.push("log_mc5".to_owned()),
        "did you mean `log_mc4`?; bundled are latin, in_bloom",
    );
    check(|q| q.cluster = Some("clan".to_owned()), "bundled are family, genus, script");
    check(|q| q.x = vec!["language".to_owned()], "line 2, column `language`: \"eng\" is no number");
    check(|q| q.confidence = 95.0, "--confidence 95: give a number between 0 and 1");
    let unlabelled = Question { x: vec!["x".to_owned()], y: "y".to_owned(), ..question() };
    let error = on("x,y\n1,2\n", unlabelled).unwrap_err().to_string();
    assert!(error.contains("say which column names them with --label COLUMN"), "{error}");
}

/// The printed table written as Parquet, numbers as numbers, gives the same findings to the last bit.
#[test]
fn parquet_says_what_csv_says() {
    let path = phase1::printed();
    let mut rows = csv::Reader::from_path(&path).unwrap();
    let rows: Vec<(String, f64, f64)> = rows.deserialize().map(Result::unwrap).collect();
    let columns: [(&str, ArrayRef); 3] = [
        ("degradation", Arc::new(rows.iter().map(|row| Some(row.2)).collect::<Float64Array>())),
        ("language", Arc::new(rows.iter().map(|row| Some(&row.0)).collect::<StringArray>())),
        (
            "weighted_kurtosis",
            Arc::new(rows.iter().map(|row| Some(row.1)).collect::<Float64Array>()),
        ),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let columnar = folder.path().join("phase1.parquet");
    let snappy = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let file = std::fs::File::create(&columnar).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(snappy)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let mut found = correlate(&columnar, question()).unwrap();
    found.table = path.display().to_string();
    assert_eq!(found, correlate(&path, question()).unwrap());
}

/// Beyond what can be counted, draws by a seed: the same twice, and near the parametric answers.
#[test]
fn many_rows_are_sampled_by_a_seed() {
    let row = |at: u32| format!("{},{}\n", at * 7 % 40, at * 7 % 40 + at * at % 31);
    let text = "x,y\n".to_owned() + &(0..40).map(row).collect::<String>();
    let question = |seed| Question {
        x: vec!["x".to_owned()],
        y: "y".to_owned(),
        covariates: Vec::new(),
        cluster: None,
        draws: 2000,
        seed,
        ..question()
    };
    let found = on(&text, question(1)).unwrap();
    let again = on(&text, question(1)).unwrap();
    assert_eq!(only(&found), only(&again));
    assert_ne!(only(&found), only(&on(&text, question(2)).unwrap()));
    let correlation = only(&found).correlation.as_ref().unwrap();
    assert!(!correlation.permutation.exact && correlation.permutation.orders == 2001);
    let methods: Vec<Method> = correlation.intervals.iter().map(|claimed| claimed.method).collect();
    assert_eq!(methods, [Method::Fisher, Method::PercentileSampled, Method::BcaSampled]);
    let [fisher, percentile, bca] = [0, 1, 2].map(|at| correlation.intervals[at].interval);
    for sampled in [percentile, bca] {
        assert!((sampled.low - fisher.low).abs() < 0.1 && (sampled.high - fisher.high).abs() < 0.1);
    }
    assert!(report::findings(&found).contains("of 2,001 orders, all but the observed one random"));
}
