//! Every kernel for f32 on the CPU against the same function by tensor operations.

use candle_core::{Device, Tensor};

use super::*;

/// The same numbers between −3 and 3 in every run.
fn random(shape: &[usize]) -> Tensor {
    let number = |i: usize| (i * 7919 % 10_007) as f32 / 10_007.0 * 6.0 - 3.0;
    let numbers: Vec<f32> = (1..=shape.iter().product()).map(number).collect();
    Tensor::from_vec(numbers, shape, &Device::Cpu).unwrap()
}

/// Holds an f32 kernel to the same function by tensor operations, to 4e-6 of its largest value.
#[track_caller]
fn check(fast: &Tensor, reference: &Tensor) {
    let largest =
        |x: &Tensor| -> f64 { wide(x).abs().unwrap().max_all().unwrap().to_scalar().unwrap() };
    let difference = largest(&(wide(fast) - wide(reference)).unwrap());
    assert!(difference < 4e-6 * largest(reference).max(1.0), "{difference}");
}

fn wide(x: &Tensor) -> Tensor {
    x.to_dtype(DType::F64).unwrap()
}

#[test]
fn in_place_kernels_equal_tensor_operations() {
    for width in [1, 7, 16, 33, 300] {
        let (x, y, bias) = (random(&[5, width]), random(&[5, width]), random(&[width]));
        let fresh = || x.copy().unwrap();
        let biased = wide(&x).broadcast_add(&wide(&bias)).unwrap();
        check(&add(fresh(), &y).unwrap(), &(wide(&x) + wide(&y)).unwrap());
        check(&multiply(fresh(), &y).unwrap(), &(wide(&x) * wide(&y)).unwrap());
        check(&add_bias(fresh(), &bias).unwrap(), &biased);
        check(&softcap(fresh(), 2.0).unwrap(), &softcap(wide(&x), 2.0).unwrap());
        for kind in [Activation::Gelu, Activation::GeluTanh, Activation::Relu, Activation::Silu] {
            let reference = activate(wide(&x), Some(&wide(&bias)), kind).unwrap();
            check(&activate(fresh(), Some(&bias), kind).unwrap(), &reference);
            check(
                &activate(fresh(), None, kind).unwrap(),
                &activate(wide(&x), None, kind).unwrap(),
            );
        }
        let gain = random(&[width]);
        check(&rms_norm(&x, &gain, 1e-5).unwrap(), &rms_norm(&wide(&x), &gain, 1e-5).unwrap());
        if width > 1 {
            let reference = layer_norm(&wide(&x), &wide(&gain), &wide(&bias), 1e-5).unwrap();
            check(&layer_norm(&x, &gain, &bias, 1e-5).unwrap(), &reference);
        }
    }
}

#[track_caller]
fn check_softmax(shape: (usize, usize), scoring: &Scoring<'_>) {
    let scores = random(&[2, 3, shape.0, shape.1]);
    let fast = softmax(scores.copy().unwrap(), scoring).unwrap();
    check(&fast, &softmax(wide(&scores), scoring).unwrap());
    let sums: Vec<f32> = fast.sum(3).unwrap().flatten_all().unwrap().to_vec1().unwrap();
    assert!(sums.iter().all(|sum| (sum - 1.0).abs() < 1e-5));
}

#[test]
fn every_softmax_equals_tensor_operations() {
    let slopes = [0.5, 0.25, 0.7];
    let relative = |queries: usize, keys: usize| {
        (0..3 * (queries + keys - 1)).map(|i| (i % 11) as f32 / 5.0).collect()
    };
    for positions in [1, 2, 15, 16, 40] {
        let causal = |shift, softcap, window| Scoring {
            scale: 0.3,
            softcap,
            shift,
            sight: Sight::Back { window },
        };
        check_softmax((positions, positions), &causal(Shift::Alibi(&slopes), None, None));
        check_softmax((positions, positions), &causal(Shift::None, Some(2.0), Some(3)));
        let shift = Shift::Relative(relative(positions, positions));
        check_softmax((positions, positions), &causal(shift, None, None));
        let lengths = [positions as u32, 1];
        let shift = Shift::Relative(relative(4, positions));
        let both = Scoring { scale: 1.0, softcap: None, shift, sight: Sight::Until(&lengths) };
        check_softmax((4, positions), &both);
    }
}

#[test]
fn sixteen_bits_on_the_cpu_are_multiplied_in_f32() {
    let (a, b) = (random(&[3, 40]), random(&[40, 5]));
    let narrow = |x: &Tensor| x.to_dtype(DType::BF16).unwrap();
    let product = matmul(&narrow(&a), &narrow(&b)).unwrap();
    let reference = wide(&narrow(&a)).matmul(&wide(&narrow(&b))).unwrap();
    let difference = (wide(&product) - &reference).unwrap().abs().unwrap();
    let relative = difference.broadcast_div(&(reference.abs().unwrap() + 1e-3).unwrap()).unwrap();
    let worst: f64 = relative.max_all().unwrap().to_scalar().unwrap();
    assert!(worst < 1.0 / 256.0, "{worst}");
}
