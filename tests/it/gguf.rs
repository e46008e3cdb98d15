//! GGUF files that llama.cpp's own converter wrote (`tests/reference/make_gguf.py`), as checkpoints of golden models: every matrix
//! comes back bit for bit as the `gguf` package dequantizes it, and scores as in `transformers`.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use babelquant_worker::check_checkpoint;
use babelquant_worker::model::{Architecture, OtherCheckpoint};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use crate::families::NLL;
use crate::golden::{close, folder, json, numbers};
use crate::other_checkpoints::{rows, spec_of, words};
use crate::quantization::rows_in;

/// Every case with the model's folder and its file.
fn cases() -> Vec<(Value, PathBuf, PathBuf)> {
    let expected = json(&folder().join("gguf/expected.json"));
    let cases = expected["cases"].as_array().unwrap().iter();
    let place = |case: &Value| {
        let text = |key: &str| case[key].as_str().unwrap();
        let file = folder().join("gguf").join(text("name")).with_extension("gguf");
        (case.clone(), folder().join(text("model")), file)
    };
    cases.map(place).collect()
}

/// SHA-256 of values in f32.
fn digest(values: &[f32]) -> String {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn every_matrix_comes_back_bit_for_bit() {
    let (mut matrices, mut types) = (0, BTreeSet::new());
    for (case, model, file) in cases() {
        let architecture = Architecture::read(&model).unwrap();
        let other = OtherCheckpoint::open(&file, (&model, &architecture)).unwrap();
        let expected = case["matrices"].as_object().unwrap();
        for layer in architecture.shape.stacked_layers() {
            for matrix in architecture.matrices(layer) {
                let name = architecture.weight_name(layer, matrix);
                let lent = other.matrix(&architecture, (layer, matrix)).unwrap();
                let here = format!("{}: {name}", case["name"]);
                assert_eq!(digest(&lent.values), expected[&name][1].as_str().unwrap(), "{here}");
                close(lent.bits_per_weight, expected[&name][0].as_f64().unwrap(), 1e-12, 0.0);
                matrices += 1;
            }
        }
        assert_eq!(
            expected.len(),
            architecture
                .shape
                .stacked_layers()
                .map(|l| architecture.matrices(l).len())
                .sum::<usize>()
        );
        types.extend(
            case["types"].as_array().unwrap().iter().map(|t| t.as_str().unwrap().to_owned()),
        );
    }
    assert!(matrices > 200, "{matrices}");
    assert_eq!(types.len(), 13, "{types:?}");
}

#[test]
fn scores_equal_transformers_with_the_dequantized_weights() {
    for (case, model, file) in cases() {
        let cells = case["cells"].as_array().unwrap();
        let text = |cell: &Value, key: &str| cell[key].as_str().unwrap().to_owned();
        let named: Vec<_> =
            cells.iter().map(|cell| (text(cell, "scope"), text(cell, "components"))).collect();
        let named: Vec<_> = named
            .iter()
            .map(|(scope, components)| (scope.as_str(), components.as_str(), "checkpoint:other"))
            .collect();
        for (rows, cell) in rows(&model, &file, &named).iter().zip(cells) {
            for ((row, nll), base) in
                rows.iter().zip(numbers(&cell["nll"])).zip(numbers(&case["base_nll"]))
            {
                close(row.base_nll_sum, base, NLL, 0.0);
                close(row.nll_sum.unwrap(), nll, NLL, 0.0);
            }
        }
    }
}

#[test]
fn gains_are_lent_as_the_model_stores_them() {
    for (case, model, file) in cases() {
        let rows = rows(&model, &file, &[("all", "norm", "checkpoint:other")]).remove(0);
        for (row, base) in rows.iter().zip(numbers(&case["base_nll"])) {
            close(row.nll_sum.unwrap(), base, NLL, 0.0);
        }
    }
}

#[test]
fn a_file_says_what_its_weights_cost() {
    for (case, model, file) in cases() {
        let cells = [("all", "linear", "checkpoint:other")];
        let (spec, _) = spec_of(&model, &file, &cells);
        let rows = rows_in(vec![model.clone(), file.clone()], spec);
        let expected = case["matrices"].as_object().unwrap();
        assert_eq!(rows.len(), expected.len(), "{}", case["name"]);
        let mut bits: Vec<f64> = rows.iter().map(|row| row.bits_per_weight.unwrap()).collect();
        let mut theirs: Vec<f64> =
            expected.values().map(|matrix| matrix[0].as_f64().unwrap()).collect();
        bits.sort_by(f64::total_cmp);
        theirs.sort_by(f64::total_cmp);
        assert_eq!(bits, theirs, "{}", case["name"]);
        assert!(rows.iter().all(|row| row.mse.is_some() && row.config == "checkpoint:other"));
    }
}

#[test]
fn what_stands_beside_the_matrices_is_the_models() {
    for (case, model, file) in cases() {
        let remainder = check_checkpoint(&model, &file).unwrap();
        assert_eq!(remainder, None, "{}", case["name"]);
    }
}

/// The file of a case.
fn file(name: &str) -> PathBuf {
    folder().join("gguf").join(name).with_extension("gguf")
}

/// A copy of a file with other bytes.
fn copy(bytes: &[u8]) -> NamedTempFile {
    let copy = tempfile::Builder::new().suffix(".gguf").tempfile().unwrap();
    fs::write(copy.path(), bytes).unwrap();
    copy
}

/// Puts `bytes` in so many bytes behind the first place of `text`.
fn put(file: &mut [u8], text: &str, behind: usize, bytes: &[u8]) {
    let place = file.windows(text.len()).position(|window| window == text.as_bytes()).unwrap();
    let place = place + text.len() + behind;
    file[place..place + bytes.len()].copy_from_slice(bytes);
}

/// Adds keys of numbers to a header: 64 bytes of them, so that every tensor stays where it was after the header.
fn say(file: &mut Vec<u8>, key: &str, number: u32) {
    let pair = |key: &str| {
        let length = (key.len() as u64).to_le_bytes();
        [&length, key.as_bytes(), &4_u32.to_le_bytes(), &number.to_le_bytes()].concat()
    };
    let filler = "x".repeat(32 - key.len());
    file.splice(24..24, [pair(key), pair(&filler)].concat());
    let count = u64::from_le_bytes(file[16..24].try_into().unwrap()) + 2;
    file[16..24].copy_from_slice(&count.to_le_bytes());
}

/// Fails unless a changed copy of a file is refused for a model, with its name and in these words.
#[track_caller]
fn refused(name: &str, model: &str, change: impl FnOnce(&mut Vec<u8>), parts: &[&str]) {
    let mut bytes = fs::read(file(name)).unwrap();
    change(&mut bytes);
    let copy = copy(&bytes);
    let said = words(&check_checkpoint(&folder().join(model), copy.path()).unwrap_err());
    let here = copy.path().to_str().unwrap();
    assert!(said.contains(here) && parts.iter().all(|part| said.contains(part)), "{said}");
}

#[test]
fn what_cannot_be_used_is_refused_in_words() {
    let (llama, number) = ("families/llama3", |number: u32| number.to_le_bytes());
    let tensor = "blk.1.ffn_up.weight";
    let misfit = |change: &dyn Fn(&mut Vec<u8>), parts: &[&str]| {
        refused("llama3", llama, |bytes| change(bytes), parts);
    };
    misfit(&|bytes| bytes[0] = b'g', &["cannot read", "does not begin with GGUF"]);
    misfit(&|bytes| bytes[4..8].copy_from_slice(&number(1)), &["version 1", "convert"]);
    misfit(&|bytes| bytes[4..8].copy_from_slice(&3_u32.to_be_bytes()), &["little-endian"]);
    // Behind a tensor's name: the count of its axes, then they, its type and its place.
    let kind = |kind: u32| move |bytes: &mut Vec<u8>| put(bytes, tensor, 4 + 2 * 8, &number(kind));
    misfit(&kind(23), &[tensor, "is of type IQ4_XS", "candle", "Q4_K"]);
    misfit(&kind(4), &[tensor, "is of type number 4"]);
    misfit(&kind(12), &[tensor, "blocks of its type do not divide"]);
    misfit(&|bytes| put(bytes, tensor, 0, &number(5)), &[tensor, "more than four"]);
    misfit(&|bytes| put(bytes, tensor, 4 + 8, &[39]), &[tensor, "has shape [39, 24] instead of"]);
    misfit(&|bytes| put(bytes, tensor, 4 + 8, &[255; 8]), &[tensor]);
    misfit(&|bytes| put(bytes, tensor, 24, &[8]), &[tensor, "begins where no tensor may"]);
    misfit(&|bytes| put(bytes, tensor, 31, &[7]), &[tensor, "ends beyond the end of the file"]);
    misfit(
        &|bytes| put(bytes, "blk.1.ffn_u", 0, b"q"),
        &["blk.1.ffn_up.weight is missing", "blk.1.ffn_uq.weight is not part of the model"],
    );
    misfit(&|bytes| put(bytes, "blk.1.ffn_u", 0, &[0xff]), &["not UTF-8"]);
    misfit(
        &|bytes| put(bytes, "llama.attention.head_count", 4, &number(3)),
        &["its head_count is 3, the model's 6"],
    );
    for alignment in [0, 12, u32::MAX] {
        misfit(&|bytes| say(bytes, "general.alignment", alignment), &["no multiple of 8"]);
    }
    misfit(&|bytes| say(bytes, "split.count", 3), &["is one of 3 parts", "--merge"]);
    refused("qwen2", "families/qwen3", |_| (), &["architecture is \"qwen2\"", "\"qwen3\""]);
    refused("llama3", "families/xglm", |_| (), &["llama.cpp does not convert"]);
    refused("llama3", "families/llama1", |_| (), &["head_count is 6, the model's 3"]);
    refused("llama1", "families/llama_linear", |_| (), &["head_count_kv is 3, the model's 1"]);
}

#[test]
fn no_damage_to_a_header_goes_further_than_an_error() {
    let (model, original) = (folder().join("families/llama3"), fs::read(file("llama3")).unwrap());
    let architecture = Architecture::read(&model).unwrap();
    let copy = copy(&original);
    let open = || OtherCheckpoint::open(copy.path(), (&model, &architecture));
    let handle = File::options().write(true).open(copy.path()).unwrap();
    let header = original.windows(16).rposition(|w| w == b"blk.2.ffn_up.wei").unwrap() + 64;
    let mut refused = 0;
    for place in 0..header {
        let flipped = original[place] ^ (1 << (place % 8));
        handle.write_all_at(&[flipped], place as u64).unwrap();
        refused += usize::from(open().is_err());
        handle.write_all_at(&original[place..=place], place as u64).unwrap();
    }
    assert!(open().is_ok() && refused > 1000, "{refused} of {header}");
    for length in (0..header).chain((header..original.len()).step_by(997)).rev() {
        handle.set_len(length as u64).unwrap();
        assert!(open().is_err(), "{length} bytes of {}", original.len());
    }
}
