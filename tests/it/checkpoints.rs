//! Checkpoints as torch, safetensors and transformers save them (`tests/reference/make_checkpoints.py`) are read bit for bit;
//! hostile, damaged and unsupported ones are refused in words.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use babelquant_worker::model::{Checkpoint, ModelError, StoredTensor};
use candle_core::{DType, Device, Tensor};
use serde_json::Value;

use crate::golden;

/// The cases with what is expected of them.
fn cases() -> Vec<(String, Value)> {
    let Value::Object(cases) = golden::json(&folder("expected.json")) else { panic!("no cases") };
    assert!(cases.len() > 50);
    cases.into_iter().collect()
}

fn folder(case: &str) -> PathBuf {
    golden::folder().join("checkpoints").join(case)
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().map(|text| text.as_str().unwrap()).collect()
}

fn bytes(hexadecimal: &Value) -> Vec<u8> {
    let text = hexadecimal.as_str().unwrap();
    let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(byte).collect()
}

/// The error with its causes.
fn words(error: &ModelError) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words = format!("{words}: {error}");
        cause = error.source();
    }
    words
}

/// The bits of its values, widened to f32: the same for two tensors only if all their values are.
fn bits(tensor: &Tensor) -> Vec<u32> {
    let wide = tensor.to_dtype(DType::F32).unwrap().flatten_all().unwrap();
    wide.to_vec1::<f32>().unwrap().into_iter().map(f32::to_bits).collect()
}

fn dtype(name: &str) -> DType {
    match name {
        "F32" => DType::F32,
        "F16" => DType::F16,
        "BF16" => DType::BF16,
        other => panic!("{other}"),
    }
}

#[track_caller]
fn check_tensor(name: &str, stored: &StoredTensor<'_>, expected: &Value) {
    let shape: Vec<usize> = serde_json::from_value(expected["shape"].clone()).unwrap();
    assert_eq!(format!("{:?}", stored.dtype).to_uppercase(), expected["dtype"], "{name}");
    assert_eq!(stored.shape, shape, "{name}");
    assert_eq!(stored.bytes, bytes(&expected["bytes"]), "{name}");
    let own = (expected["dtype"].as_str().unwrap(), &expected["bytes"]);
    let others = expected["loaded"].as_object().unwrap().iter();
    for (name, values) in others.map(|(name, values)| (name.as_str(), values)).chain([own]) {
        let (dtype, cpu) = (dtype(name), Device::Cpu);
        let theirs = Tensor::from_raw_buffer(&bytes(values), dtype, &shape, &cpu).unwrap();
        let ours = stored.load(&cpu, dtype).unwrap();
        assert_eq!((ours.dtype(), ours.dims()), (dtype, shape.as_slice()));
        assert_eq!(bits(&ours), bits(&theirs), "{name}");
        if dtype == DType::F32 {
            let ours = stored.to_f32().into_iter().map(f32::to_bits).collect::<Vec<_>>();
            assert_eq!(ours, bits(&theirs));
        }
    }
}

#[test]
fn what_others_save_is_read_bit_for_bit_or_refused_in_words() {
    for (case, expected) in cases() {
        let prefixes = texts(&expected["prefixes"]);
        match (Checkpoint::open(&folder(&case), &prefixes), expected["tensors"].as_object()) {
            (Ok(checkpoint), Some(tensors)) => {
                let names: Vec<_> = checkpoint.tensors().map(|(name, _)| name).collect();
                let theirs: BTreeSet<&str> = tensors.keys().map(String::as_str).collect();
                assert_eq!(names, theirs.into_iter().collect::<Vec<_>>(), "{case}");
                for (name, stored) in checkpoint.tensors() {
                    check_tensor(name, &stored, &tensors[name]);
                }
            }
            (Err(error), None) => {
                let said = words(&error);
                for part in texts(&expected["error"]) {
                    assert!(said.contains(part), "{case}: {part:?} is not in {said:?}");
                }
            }
            (Ok(_), None) => panic!("{case} was not refused"),
            (Err(error), Some(_)) => panic!("{case}: {}", words(&error)),
        }
    }
    assert!(!Path::new("a_pickle_was_run").exists());
}

#[test]
fn one_error_lists_what_is_missing_misshapen_or_too_much() {
    let checkpoint = Checkpoint::open(&folder("torch_mixed"), &[]).unwrap();
    let complete: Vec<(String, Vec<usize>)> =
        checkpoint.tensors().map(|(name, stored)| (name.to_owned(), stored.shape)).collect();
    checkpoint.check_complete(&complete, &|_| false).unwrap();
    checkpoint.check_complete(&complete[1..], &|name| name == complete[0].0).unwrap();

    let mut wrong = complete[1..].to_vec();
    wrong[0].1.push(7);
    wrong.extend(["gone", "positions"].map(|name| (name.to_owned(), vec![9])));
    let said = checkpoint.check_complete(&wrong, &|_| false).unwrap_err().to_string();
    let shape = &complete[1].1;
    for part in [
        format!("{} is not part of the model", complete[0].0),
        format!("{} has shape {shape:?} instead of {:?}", complete[1].0, wrong[0].1),
        "gone is missing".to_owned(),
        "positions has dtype I64 instead of F32, F16 or BF16".to_owned(),
    ] {
        assert!(said.contains(&part), "{part:?} is not in {said:?}");
    }

    let many: Vec<_> = (0..25).map(|n| (format!("n{n}"), vec![])).collect();
    let said = checkpoint.check_complete(&many, &|_| true).unwrap_err().to_string();
    assert!(said.contains("n19 is missing; and 5 more") && !said.contains("n20"), "{said}");
    let said = checkpoint.require("gone").unwrap_err().to_string();
    assert!(said.contains("gone is missing"), "{said}");
}

#[test]
fn rows_are_a_part_of_the_stored_bytes() {
    let checkpoint = Checkpoint::open(&folder("torch_mixed"), &[]).unwrap();
    let whole = checkpoint.require("half.matrix").unwrap();
    let rows = whole.rows(1..3);
    assert_eq!((rows.shape.as_slice(), rows.dtype), ([2, 7].as_slice(), whole.dtype));
    assert_eq!(rows.to_f32(), whole.to_f32()[7..]);
    assert_eq!(rows.bytes.as_ptr(), whole.bytes[14..].as_ptr());
    assert_eq!(whole.rows(3..3).to_f32(), [0.0; 0]);
    assert_eq!(checkpoint.require("empty").unwrap().rows(0..0).shape, [0, 4]);
}

/// A copy of a case's files, to be damaged.
fn copied(case: &str) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(folder(case)).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    copy
}

/// What is said of a sharded checkpoint when its index, as text, is changed.
fn with_index(case: &str, index: &str, change: impl Fn(&str) -> String) -> String {
    let copy = copied(case);
    let path = copy.path().join(index);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, change(&text)).unwrap();
    words(&Checkpoint::open(copy.path(), &[]).unwrap_err())
}

#[test]
fn an_index_that_names_what_is_not_there_is_refused() {
    for (case, index, tensor, shard) in [
        (
            "torch_sharded_bf16",
            "pytorch_model.bin.index.json",
            "model.decoder.embed_positions.weight",
            "pytorch_model-00001-of-00003.bin",
        ),
        (
            "torch_legacy_sharded",
            "pytorch_model.bin.index.json",
            "model.decoder.final_layer_norm.weight",
            "pytorch_model-00002-of-00003.bin",
        ),
        (
            "safetensors_sharded_f16",
            "model.safetensors.index.json",
            "transformer.wpe.weight",
            "model-00001-of-00004.safetensors",
        ),
    ] {
        let quoted = format!("\"{tensor}\"");
        let said = with_index(case, index, |text| text.replace(&quoted, "\"unheard.of\""));
        assert!(said.contains("unheard.of is in ") && said.contains("no tensor of"), "{said}");
        let said = with_index(case, index, |text| text.replace(shard, "absent.bin"));
        assert!(said.contains("in \"absent.bin\", which is no file"), "{said}");
        for elsewhere in ["../expected.json", "/etc/hostname", ""] {
            let said = with_index(case, index, |text| text.replace(shard, elsewhere));
            assert!(
                said.contains(&format!("into {elsewhere:?}; expected the plain name")),
                "{said}"
            );
        }
        with_index(case, index, |text| text[..text.len() / 2].to_owned());
        with_index(case, index, |_| "{\"weight_map\": {\"a\": 3}}".to_owned());

        let copy = copied(case);
        fs::remove_file(copy.path().join(shard)).unwrap();
        let said = words(&Checkpoint::open(copy.path(), &[]).unwrap_err());
        assert!(said.contains(shard) && said.contains("says that"), "{said}");
    }
}

/// Opens what is in the folder and reads all of it, if it can be opened.
fn exhaust(folder: &Path) {
    let Ok(checkpoint) = Checkpoint::open(folder, &["transformer."]) else { return };
    for (_, stored) in checkpoint.tensors() {
        stored.to_f32();
    }
}

#[test]
fn damaged_files_are_refused_or_read_without_a_panic() {
    for (case, _) in cases() {
        let damaged = copied(&case);
        for entry in fs::read_dir(damaged.path()).unwrap() {
            damage(&entry.unwrap().path());
        }
    }
}

/// Opens the checkpoint that the file at `path` is part of, with that file cut off, shortened and changed in many places.
fn damage(path: &Path) {
    let whole = fs::read(path).unwrap();
    let put = |bytes: &[u8]| {
        fs::remove_file(path).unwrap();
        fs::write(path, bytes).unwrap();
        exhaust(path.parent().unwrap());
    };
    for at in (0..whole.len()).step_by(whole.len().div_ceil(150)) {
        put(&whole[..at]);
        put(&[&whole[..at], &whole[at + 1..]].concat());
        for flip in [0x01, 0x80, 0xff] {
            let mut changed = whole.clone();
            changed[at] ^= flip;
            put(&changed);
        }
    }
    put(&whole);
}

/// The file's header: `layers` matrices of f16 as safetensors lays them out, with the length of the whole file.
fn header(layers: usize, shape: [usize; 2]) -> (Vec<u8>, u64) {
    let size = 2 * shape[0] * shape[1];
    let tensors = (0..layers).map(|layer| {
        let offsets = [layer * size, (layer + 1) * size];
        let fields = serde_json::json!({"dtype": "F16", "shape": shape, "data_offsets": offsets});
        (format!("h.{layer}.weight"), fields)
    });
    let json = serde_json::to_vec(&tensors.collect::<serde_json::Map<_, _>>()).unwrap();
    let header = [&(json.len() as u64).to_le_bytes(), json.as_slice()].concat();
    let length = header.len() + layers * size;
    (header, length as u64)
}

#[test]
fn a_checkpoint_larger_than_memory_is_read_row_by_row() {
    let directory = tempfile::tempdir().unwrap();
    let (header, length) = header(512, [1 << 15, 1 << 14]);
    let path = directory.path().join("model.safetensors");
    fs::write(&path, header).unwrap();
    fs::File::options().write(true).open(&path).unwrap().set_len(length).unwrap();
    assert!(length > 500_000_000_000);
    let checkpoint = Checkpoint::open(directory.path(), &[]).unwrap();
    let last = checkpoint.require("h.511.weight").unwrap();
    assert_eq!(last.rows(32_767..32_768).to_f32(), vec![0.0; 1 << 14]);
}

#[test]
fn a_legacy_file_larger_than_memory_is_read_where_a_tensor_lies() {
    let copy = copied("legacy_count_beyond");
    let path = copy.path().join("pytorch_model.bin");
    let file = fs::File::options().write(true).open(&path).unwrap();
    let length = file.metadata().unwrap().len() - 16 + (4 << 37);
    file.set_len(length).unwrap();
    let checkpoint = Checkpoint::open(copy.path(), &[]).unwrap();
    assert_eq!(checkpoint.require("odd").unwrap().to_f32(), [0.0; 4]);
    file.set_len(length - 1).unwrap();
    Checkpoint::open(copy.path(), &[]).unwrap_err();
}

/// A text of 17 MiB where the state dict belongs.
#[test]
fn a_pickle_longer_than_any_state_dict_is_refused() {
    let copy = copied("legacy_call");
    let path = copy.path().join("pytorch_model.bin");
    let mut file = fs::read(&path).unwrap();
    let call = file.windows(5).position(|part| part == b"posix").unwrap();
    file.truncate(call - 1);
    let length = (17_u32 << 20).to_le_bytes();
    file.extend([b"X".as_slice(), &length, &[b'a'; 17 << 20], b"."].concat());
    fs::write(&path, file).unwrap();
    let said = words(&Checkpoint::open(copy.path(), &[]).unwrap_err());
    assert!(said.contains("longer than any state dict's"), "{said}");
}
