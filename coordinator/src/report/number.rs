//! Numbers as reports write them: few digits, a true minus sign, `–` where undefined. Not the values of tables, which keep every digit.

/// What stands for an undefined number.
pub(super) const UNDEFINED: &str = "–";

/// `value` with so many decimals and a true minus sign; never a negative zero.
pub(super) fn fixed(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    match text.strip_prefix('-') {
        Some(digits) if digits.bytes().all(|byte| matches!(byte, b'0' | b'.')) => digits.to_owned(),
        Some(digits) => format!("−{digits}"),
        None => text,
    }
}

/// `value` with so many significant digits; tiny and huge numbers as 1.4e−5.
pub(super) fn significant(value: f64, digits: usize) -> String {
    if value != 0.0 && !(1e-4..1e6).contains(&value.abs()) {
        return format!("{value:.*e}", digits - 1).replace('-', "−");
    }
    fixed(value, decimals(value, digits))
}

/// A p value: two significant digits.
pub(super) fn p(value: f64) -> String {
    significant(value, 2)
}

/// An undefined number as `–`.
pub(super) fn or_undefined(value: Option<f64>, write: impl Fn(f64) -> String) -> String {
    value.map_or(UNDEFINED.to_owned(), write)
}

/// Value, low and high in thousandths of their unit.
pub(super) fn thousandths(numbers: [Option<f64>; 3]) -> [Option<f64>; 3] {
    numbers.map(|number| number.map(|number| 1e3 * number))
}

/// A column of `value [low, high]`, all with the same decimals: so many that the largest number has `digits` significant ones, but at
/// least two below 1,000. Without an interval the value stands alone.
pub(super) fn estimates(column: &[[Option<f64>; 3]], digits: usize) -> Vec<String> {
    let largest = column.iter().flatten().flatten().fold(0.0, |a: f64, b| a.max(b.abs()));
    let least = if largest < 1e3 { 2 } else { 0 };
    let decimals = decimals(largest, digits).max(least);
    let write = |number: f64| match number.abs() < 1e6 {
        true => fixed(number, decimals),
        false => significant(number, digits),
    };
    let estimate = |[value, low, high]: &[Option<f64>; 3]| match (value, low, high) {
        (None, _, _) => UNDEFINED.to_owned(),
        (Some(value), Some(low), Some(high)) => {
            format!("{} [{}, {}]", write(*value), write(*low), write(*high))
        }
        (Some(value), _, _) => write(*value),
    };
    column.iter().map(estimate).collect()
}

/// `number` with its thousands apart: 201,326,592.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let first = digits.len() % 3;
    let mut groups: Vec<&str> = vec![&digits[..first]];
    groups.extend((first..digits.len()).step_by(3).map(|start| &digits[start..start + 3]));
    groups.retain(|group| !group.is_empty());
    groups.join(",")
}

/// Decimals that give the number `digits` significant digits; none for large ones, at most 9.
pub(super) fn decimals(value: f64, digits: usize) -> usize {
    let magnitude = match value.abs() {
        0.0 => 0,
        other => other.log10().floor().clamp(-9.0, 9.0) as i32,
    };
    usize::try_from(digits as i32 - 1 - magnitude).unwrap_or(0).min(9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_digits() {
        for (value, text) in [
            (0.001_408_605, "0.0014"),
            (0.184_395, "0.18"),
            (1.36e-14, "1.4e−14"),
            (0.0, "0.0"),
            (-12.34, "−12"),
            (2.5e6, "2.5e6"),
        ] {
            assert_eq!(p(value), text);
        }
        assert_eq!((fixed(-0.004, 2), fixed(-0.77, 2)), ("0.00".to_owned(), "−0.77".to_owned()));
        let numbers = [7, 1_000, 201_326_592, 12_345].map(count);
        assert_eq!(numbers, ["7", "1,000", "201,326,592", "12,345"]);
    }

    #[test]
    fn a_column_of_estimates_shares_its_decimals() {
        let check =
            |numbers: &[[Option<f64>; 3]], texts: &[&str]| assert_eq!(estimates(numbers, 3), texts);
        let some = |numbers: [f64; 3]| numbers.map(Some);
        check(&[some([40.561, 39.2, 41.99]), [None; 3]], &["40.56 [39.20, 41.99]", "–"]);
        check(&[some([0.0213, -0.001, 0.04])], &["0.0213 [−0.0010, 0.0400]"]);
        check(&[some([0.0; 3]), [Some(1.5), None, None]], &["0.00 [0.00, 0.00]", "1.50"]);
        check(&[some([4321.0, 1e3, 2.5e6])], &["4321 [1000, 2.50e6]"]);
        check(&[], &[]);
    }
}
