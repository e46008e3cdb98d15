//! Models that must be refused, and damage that must never be more than an error.

use std::fs;
use std::path::Path;

use prost::Message;
use tokenizers::Tokenizer;

use super::message::{Model, ModelType, Normalizer, Piece, PieceType, Trainer};
use super::{Form, SentencePieceError};

fn piece(text: &str, score: f32, r#type: PieceType) -> Piece {
    Piece { piece: Some(text.to_owned()), score: Some(score), r#type: Some(r#type.into()) }
}

/// A model in the order of XGLM's, which T5's form takes as well.
fn model() -> Model {
    let pieces = vec![
        piece("<unk>", 0.0, PieceType::Unknown),
        piece("<s>", 0.0, PieceType::Control),
        piece("</s>", 0.0, PieceType::Control),
        piece("▁", -2.0, PieceType::Normal),
        piece("▁a", -1.0, PieceType::Normal),
        piece("b", -3.0, PieceType::Normal),
    ];
    let (trainer_spec, normalizer_spec) = (Some(Trainer::default()), Some(Normalizer::default()));
    Model { pieces, trainer_spec, normalizer_spec }
}

fn read(form: Form, bytes: &[u8]) -> Result<Tokenizer, SentencePieceError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(form.file());
    fs::write(&path, bytes).unwrap();
    form.read(&path)
}

fn ids(tokenizer: &Tokenizer, text: &str) -> Vec<u32> {
    tokenizer.encode(text, false).unwrap().get_ids().to_vec()
}

#[test]
fn the_forms_number_the_same_pieces_differently() {
    let bytes = model().encode_to_vec();
    let (t5, xglm) = (read(Form::T5, &bytes).unwrap(), read(Form::Xglm, &bytes).unwrap());
    assert_eq!(ids(&t5, "a  ab?? "), [4, 4, 5, 0]);
    assert_eq!(ids(&xglm, "a  ab?? "), [5, 5, 6, 3, 4]);
    assert_eq!(t5.token_to_id("<extra_id_0>"), Some(105));
    assert_eq!(xglm.token_to_id("<madeupword6>"), Some(13));
}

#[test]
fn user_defined_and_control_pieces_are_one_token_in_any_text() {
    let mut model = model();
    model.pieces.push(piece("[x]", 0.0, PieceType::UserDefined));
    let tokenizer = read(Form::T5, &model.encode_to_vec()).unwrap();
    assert_eq!(ids(&tokenizer, "a[x]a</s>"), [4, 6, 4, 2]);
}

#[test]
fn unusable_models_say_why() {
    let check = |form: Form, change: &dyn Fn(&mut Model), expected: &str| {
        let mut model = model();
        change(&mut model);
        let error = read(form, &model.encode_to_vec()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    let bpe = |model: &mut Model| {
        let model_type = Some(ModelType::Bpe.into());
        model.trainer_spec = Some(Trainer { model_type, ..Trainer::default() });
    };
    check(
        Form::T5,
        &bpe,
        "a SentencePiece model of type BPE cannot be converted: put the model's tokenizer.json beside it",
    );
    let prefix = |model: &mut Model| {
        let add_dummy_prefix = Some(false);
        model.normalizer_spec = Some(Normalizer { add_dummy_prefix, ..Normalizer::default() });
    };
    check(Form::Xglm, &prefix, "trained with add_dummy_prefix=false");
    let table = |model: &mut Model| {
        let precompiled_charsmap = Some(vec![1, 2, 3]);
        model.normalizer_spec = Some(Normalizer { precompiled_charsmap, ..Normalizer::default() });
    };
    check(Form::T5, &table, "table of characters is damaged");
    check(Form::Xglm, &|model| model.pieces.swap(0, 1), "pieces 0 to 2 are <s>, <unk>, </s>");
    check(Form::Xglm, &|model| model.pieces.truncate(1), "pieces 0 to 2 are <unk>,");
    check(Form::T5, &|model| drop(model.pieces.remove(0)), "no piece stands for unknown");
    check(Form::T5, &|model| model.pieces.clear(), "has no pieces");
    check(Form::T5, &|model| model.pieces[4].piece = None, "piece 4 has the text \"\"");
    check(Form::T5, &|model| model.pieces[4].score = Some(f32::NAN), "the score NaN");
    assert!(read(Form::T5, b"").unwrap_err().to_string().contains("no pieces"));
    assert!(read(Form::T5, b"version https").unwrap_err().to_string().contains("damaged"));
}

/// A model with a normaliser's table that SentencePiece made.
fn trained() -> Vec<u8> {
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/tokenizers/t5/spiece.model");
    fs::read(Path::new(golden)).unwrap()
}

#[test]
fn a_truncated_file_is_refused_wherever_it_ends() {
    let whole = trained();
    let model = Model::decode(whole.as_slice()).unwrap();
    // Past the normaliser stand parts that we do not read.
    let (trainer, normalizer) = (model.trainer_spec, model.normalizer_spec);
    assert!(trainer.is_some() && normalizer.is_some());
    let needed = model.pieces.iter().map(|piece| piece.encoded_len() + 2).sum::<usize>();
    for end in (0..needed).step_by(37).chain(needed..needed + 40) {
        read(Form::T5, &whole[..end]).unwrap_err();
    }
    read(Form::T5, &whole).unwrap();
}

#[test]
fn no_damaged_table_leads_its_reader_astray() {
    let model = Model::decode(trained().as_slice()).unwrap();
    let table = model.normalizer().precompiled_charsmap().to_vec();
    let texts = ["a\tb\u{a0}c\u{3000}", "™ e\u{301} 語 ☃\u{fe0f}", "\u{10ffff}\u{7f}\u{1}"];
    let (mut refused, mut read) = (0, 0);
    for at in (0..table.len()).step_by(1 + table.len() / 2000) {
        for bit in 0..8 {
            let mut table = table.clone();
            table[at] ^= 1 << bit;
            if super::charsmap::check(&table).is_err() {
                refused += 1;
                continue;
            }
            read += 1;
            let table = tokenizers::normalizers::Precompiled::from(&table).unwrap();
            for text in texts {
                table.normalize_string(text);
            }
        }
    }
    assert!(refused > 100 && read > 100, "{refused} refused, {read} read");
}
