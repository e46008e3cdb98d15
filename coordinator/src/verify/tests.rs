//! Results that are a unit's, and results that are not.

use babelquant_proto::UnitIndex;
use babelquant_proto::rows::{encode, encode_both};

use super::*;
use crate::testing::{ENGINE, document_rows, payload, spec, token_row};

/// The engine class of made-up rows.
fn only() -> Engines {
    Engines::Only(ENGINE.parse().unwrap())
}

#[test]
fn every_unit_accepts_its_own_rows_and_no_others() {
    let spec = spec(2);
    for unit in (0..spec.units()).map(UnitIndex) {
        let ipc = payload(&spec, unit);
        for other in (0..spec.units()).map(UnitIndex) {
            let accepted =
                result((&spec, &only()), spec.unit(other).unwrap(), Digest::of(&ipc), &ipc);
            assert_eq!(accepted.is_ok(), unit == other, "rows of {unit} as {other}: {accepted:?}");
        }
    }
}

#[test]
fn the_layers_are_those_of_the_scope() {
    let shape = Shape { encoder_layers: 2, layers: 3, hidden: 8, vocabulary: 16, positions: None };
    for (scope, listed, expected) in [
        ("all", "enc.0,enc.1,0..2", true),
        ("all", "enc.0..enc.1,0..2", false),
        ("all", "0..2", false),
        ("all", "all", false),
        ("prefix(2)", "enc.0,enc.1", true),
        ("all-but(first+last)", "enc.1,0,1", true),
        ("all-but(top(3,kurtosis))", "enc.1,2", true),
        ("all-but(top(3,kurtosis))", "enc.1,0,2", false),
        ("top(2,kurtosis)", "1,3", false),
    ] {
        let layers = scope.parse().unwrap();
        assert_eq!(holds(&shape, &layers, listed), expected, "{scope} {listed}");
    }
}

#[test]
fn a_matrix_has_a_row_for_each_of_its_configs_or_is_left_out() {
    let mut spec = spec(1);
    let cell = spec.models[0].cells[1].clone();
    let more = [(cell.0, "nf4".parse().unwrap())];
    spec.models[0].cells = spec.models[0].cells.iter().cloned().chain(more).collect();
    let unit = UnitIndex(spec.quantization_units().start);
    let rows = decode::<QuantizationRow>(&payload(&spec, unit)).unwrap();
    let check = |rows: &[QuantizationRow]| {
        let ipc = encode(rows).unwrap();
        result((&spec, &only()), spec.unit(unit).unwrap(), Digest::of(&ipc), &ipc)
    };
    assert_eq!(rows.len(), 4);
    assert!(check(&rows).is_ok() && check(&rows[..2]).is_ok() && check(&[]).is_ok());
    for wrong in [&rows[..3], &rows[1..], &[rows[1].clone(), rows[0].clone()]] {
        assert!(matches!(check(wrong), Err(Rejection::Configs { .. })), "{wrong:?}");
    }
    let other = QuantizationRow { components: "attn.q".to_owned(), ..rows[0].clone() };
    assert!(matches!(check(&[other]), Err(Rejection::Configs { .. })), "no cell touches it");
}

#[test]
fn damaged_and_incomplete_results_are_refused() {
    let spec = spec(1);
    let cell = UnitIndex(6);
    let unit = spec.unit(cell).unwrap();
    let check_ipc = |ipc: &[u8]| result((&spec, &only()), unit, Digest::of(ipc), ipc);
    let row = token_row(&spec, cell);
    let check_both = |documents: &[DocumentRow], rows: &[TokenRow]| {
        check_ipc(&encode_both(documents, rows).unwrap())
    };
    let check = |documents: &[DocumentRow]| check_both(documents, std::slice::from_ref(&row));
    let mut rows = document_rows(&spec, cell);
    assert!(check(&rows).is_ok());
    assert!(matches!(check(&[]), Err(Rejection::Empty { .. })));
    for few in [encode(&rows).unwrap(), encode(std::slice::from_ref(&row)).unwrap()] {
        assert!(matches!(check_ipc(&few), Err(Rejection::Rows { .. })));
    }
    let more = [payload(&spec, cell), encode(std::slice::from_ref(&row)).unwrap()].concat();
    let more = check_ipc(&more).unwrap_err();
    assert!(more.to_string().contains("bytes stand after the rows"), "{more}");
    let other = |change: fn(&mut TokenRow)| {
        let mut row = row.clone();
        change(&mut row);
        check_both(&rows, &[row])
    };
    assert!(matches!(
        other(|row| row.scope = "only(1)".to_owned()),
        Err(Rejection::Foreign { row: 0, .. })
    ));
    for wrong in [
        check_both(&rows, &[]),
        check_both(&rows, &[row.clone(), row.clone()]),
        other(|row| row.tokens += 1),
        other(|row| row.kl_counts = Some(vec![1])),
        other(|row| row.dp_rise_counts = Some(vec![0; 3])),
        other(|row| row.dp_rise_counts.as_mut().unwrap().resize(500, 0)),
    ] {
        assert!(matches!(wrong, Err(Rejection::Tokens { tokens: 10 })), "{wrong:?}");
    }
    let mut foreign = rows.clone();
    foreign.iter_mut().for_each(|row| row.protocol = "causal(2)".to_owned());
    assert!(matches!(check(&foreign), Err(Rejection::Foreign { row: 0, .. })));
    let mut foreign = rows.clone();
    foreign.iter_mut().for_each(|row| row.layers = "1".to_owned());
    assert!(matches!(check(&foreign), Err(Rejection::Foreign { row: 0, .. })));
    let mut foreign = rows.clone();
    foreign[1].shard += 1;
    assert!(matches!(check(&foreign), Err(Rejection::Foreign { row: 1, .. })));
    rows.swap(0, 1);
    assert!(matches!(check(&rows), Err(Rejection::Documents { .. })));
    rows.truncate(1);
    assert!(matches!(check(&rows), Err(Rejection::Documents { .. })));
    assert!(matches!(check_ipc(b"garbage"), Err(Rejection::Rows { .. })));
    let wrong = result((&spec, &only()), unit, Digest::of(b"x"), &encode(&rows).unwrap());
    assert!(matches!(wrong, Err(Rejection::Digest { .. })));
}

#[test]
fn rows_of_other_engine_classes_are_refused_unless_any_will_do() {
    let spec = spec(1);
    let unit = spec.unit(UnitIndex(0)).unwrap();
    let rows = decode::<WeightRow>(&payload(&spec, UnitIndex(0))).unwrap();
    let check = |engines: &Engines, engine: &str| {
        let rows: Vec<WeightRow> =
            rows.iter().map(|row| WeightRow { engine: engine.to_owned(), ..row.clone() }).collect();
        let ipc = encode(&rows).unwrap();
        result((&spec, engines), unit, Digest::of(&ipc), &ipc).map(drop)
    };
    assert!(check(&only(), ENGINE).is_ok() && check(&Engines::Any, "cuda-sm90").is_ok());
    let refused = |engines: &Engines, engine| {
        let error = check(engines, engine).unwrap_err();
        assert!(matches!(&error, Rejection::Engine { row: 0, engine: e, .. } if e == engine));
    };
    refused(&only(), "cuda-sm90");
    refused(&Engines::Any, "");
    refused(&Engines::Any, "an engine");
}
