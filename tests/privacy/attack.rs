//! Attacks find who was among the examples of an overfitted model, and nobody in a private one; audits refute promises
//! that were not kept.

use inkstone::data::synthetic;
use inkstone::prelude::*;
use inkstone::privacy::{Canaries, DpSgd, likelihood_ratio, membership_inference};
use inkstone::{Dataset, Model, Result};

/// Digits, a part of them under wrong labels.
fn digits(count: usize, seed: u64, wrong: usize) -> Dataset {
    let digits = synthetic::digits(count, seed).unwrap();
    let labels = digits.labels().iter().enumerate();
    let labels =
        labels.map(|(place, label)| if place % 10 < wrong { (label + 1 + place / 10 % 9) % 10 } else { *label });
    Dataset::from_floats(digits.images(), labels.collect()).unwrap()
}

fn model(seed: u64) -> Model {
    let described = Sequential::new([28, 28, 1])
        .add(Conv2D::new(4, (5, 5)).strides((3, 3)).activation(Tanh))
        .add(Flatten::new())
        .add(Dense::new(32).activation(Tanh))
        .add(Dense::new(10).activation(Softmax));
    described.seed(seed).compile(Adam::new(0.01), SparseCategoricalCrossentropy::default(), []).unwrap()
}

fn plain(data: &Dataset, seed: u64) -> Result<Model> {
    let mut model = model(seed);
    model.fit(data, FitConfig::new().epochs(20).verbose(0))?;
    Ok(model)
}

/// Of an audit of 200 guesses a larger one would allow anything.
const DELTA: f64 = 1e-5;

fn private(data: &Dataset, settings: DpSgd, seed: u64) -> Result<Model> {
    let mut model = model(seed);
    let config = FitConfig::new().epochs(10).batch_size(100).verbose(0);
    model.fit(data, config.differential_privacy(settings.delta(DELTA)))?;
    Ok(model)
}

#[test]
fn an_overfitted_model_tells_who_was_there_and_a_private_one_does_not() {
    let (members, others) = (digits(300, 1, 3), digits(300, 2, 3));
    let shadow = |data: &Dataset, number: usize| plain(data, 100 + number as u64);

    let overfitted = plain(&members, 1).unwrap();
    let by_loss = membership_inference(&overfitted, &members, &others).unwrap();
    assert!(by_loss.auc() > 0.65 && by_loss.accuracy() > 0.6, "{by_loss}");
    let by_ratio = likelihood_ratio(&overfitted, &members, &others, 8, 1, shadow).unwrap();
    assert!(by_ratio.auc() >= by_loss.auc() && by_ratio.auc() > 0.75, "{by_ratio}; by the loss {by_loss}");
    let found = |rate: f64| by_ratio.true_positive_rate(rate).unwrap();
    assert!(found(0.01) > 0.05 && found(0.1) > found(0.01), "{by_ratio}");

    // One that has seen neither: an AUC of 300 and 300 has a deviation of 0.024.
    let stranger = plain(&digits(300, 3, 3), 1).unwrap();
    for attack in [
        membership_inference(&stranger, &members, &others).unwrap(),
        likelihood_ratio(&stranger, &members, &others, 2, 1, shadow).unwrap(),
    ] {
        assert!((attack.auc() - 0.5).abs() < 0.1, "{attack}");
    }

    let settings = || DpSgd::for_epsilon(1.0, 0.5);
    let kept = private(&members, settings(), 1).unwrap();
    let by_loss = membership_inference(&kept, &members, &others).unwrap();
    let shadow = |data: &Dataset, number: usize| private(data, settings(), 100 + number as u64);
    let by_ratio = likelihood_ratio(&kept, &members, &others, 4, 1, shadow).unwrap();
    for attack in [by_loss, by_ratio] {
        assert!((attack.auc() - 0.5).abs() < 0.1, "{attack}");
    }
}

#[test]
fn shadow_models_see_each_example_in_one_of_each_pair() {
    let (members, others) = (digits(30, 1, 0), digits(31, 2, 0));
    let mut seen: Vec<Vec<Vec<f32>>> = Vec::new();
    let train = |data: &Dataset, number: usize| {
        assert_eq!(number, seen.len());
        seen.push(data.table().rows().into_iter().map(|row| row.to_vec()).collect());
        Ok(model(number as u64))
    };
    let target = model(9);
    let attack = likelihood_ratio(&target, &members, &others, 6, 1, train).unwrap();
    assert_eq!((attack.member_scores().len(), attack.other_scores().len()), (30, 31));
    let all = members.concatenate(&others).unwrap();
    for pair in seen.chunks(2) {
        assert_eq!((pair[0].len(), pair[1].len()), (30, 31));
        for row in all.table().rows() {
            let times = pair.iter().flatten().filter(|seen| row.as_slice().unwrap() == &seen[..]).count();
            assert_eq!(times, 1);
        }
    }
    assert_ne!(seen[0], seen[2]);
    // The same seed, the same halves and scores.
    let again = likelihood_ratio(&target, &members, &others, 6, 1, |_, number| Ok(model(number as u64))).unwrap();
    assert_eq!(again, attack);
}

/// Yes and no, by a sigmoid or from a logit: as many log-odds as the softmax of two outputs has.
#[test]
fn yes_and_no_are_classes_too() {
    let (members, others) = (digits(200, 1, 3), digits(200, 2, 3));
    let parity = |data: &Dataset| {
        let labels = data.labels().iter().map(|label| label % 2).collect();
        Dataset::from_floats(data.images(), labels).unwrap()
    };
    let (members, others) = (parity(&members), parity(&others));
    let trained = |last: Dense, loss: inkstone::Loss| {
        let described = Sequential::new([28, 28, 1]).add(Flatten::new()).add(Dense::new(64).activation(Relu)).add(last);
        let mut model = described.seed(1).compile(Adam::new(0.01), loss, []).unwrap();
        model.fit(&members, FitConfig::new().epochs(30).verbose(0)).unwrap();
        membership_inference(&model, &members, &others).unwrap()
    };
    let probability = trained(Dense::new(1).activation(Sigmoid), BinaryCrossentropy::default().into());
    let logit = trained(Dense::new(1), BinaryCrossentropy::default().from_logits(true).into());
    assert!(probability.auc() > 0.6, "{probability}");
    assert_eq!(probability, logit);
}

/// Canaries under wrong labels, and examples under right ones.
fn canaries(copies: usize) -> (Canaries, Dataset) {
    let strange = digits(200, 5, 10);
    (Canaries::new(&strange, copies, 77).unwrap(), digits(400, 6, 0))
}

#[test]
fn an_audit_finds_canaries_of_a_plain_training() {
    for (copies, least) in [(1, 1.0), (4, 0.3)] {
        let (canaries, train) = canaries(copies);
        let inserted = canaries.insert(&train).unwrap();
        let inside = canaries.is_in().iter().filter(|is_in| **is_in).count();
        assert_eq!(inserted.len(), 400 + copies * inside);
        let audit = canaries.audit(&plain(&inserted, 1).unwrap(), DELTA, 0.95).unwrap();
        assert!(audit.epsilon > least && audit.right > audit.guesses * 8 / 10, "{audit}");
        // One that has not seen them.
        let audit = canaries.audit(&plain(&train, 1).unwrap(), DELTA, 0.95).unwrap();
        assert!(audit.epsilon < 0.3, "{audit}");
    }
}

#[test]
fn the_audit_of_a_private_training_stays_below_its_epsilon() {
    let (canaries, train) = canaries(1);
    let inserted = canaries.insert(&train).unwrap();
    for target in [0.5, 8.0] {
        let model = private(&inserted, DpSgd::for_epsilon(target, 0.5), 1).unwrap();
        let claimed = model.privacy().epsilon(DELTA).unwrap();
        let audit = canaries.audit(&model, DELTA, 0.95).unwrap();
        assert!(claimed <= target && audit.epsilon < claimed, "{claimed} claimed: {audit}");
    }
}

/// The same training with the noise that its epsilon is claimed for, and without: gradients are clipped all the same, and
/// examples drawn.
#[test]
fn the_audit_of_a_training_without_its_noise_refutes_what_it_claims() {
    let (canaries, train) = canaries(1);
    let inserted = canaries.insert(&train).unwrap();
    let (epochs, batch_size, noise_multiplier) = (40, 50, 4.0);
    let audit = |noise_multiplier: f64| {
        let mut model = model(1);
        let config = FitConfig::new().epochs(epochs).batch_size(batch_size).verbose(0);
        let private = DpSgd::new(noise_multiplier, 0.5).delta(DELTA);
        model.fit(&inserted, config.differential_privacy(private)).unwrap();
        let audit = canaries.audit(&model, DELTA, 0.95).unwrap();
        (audit, model.privacy().epsilon(DELTA).unwrap())
    };
    let (with_noise, claimed) = audit(noise_multiplier);
    assert!(with_noise.epsilon < claimed, "{claimed} claimed: {with_noise}");
    let (without_noise, told) = audit(0.0);
    assert!(without_noise.epsilon > claimed, "{claimed} claimed: {without_noise}");
    // Where no noise is asked for, nothing is claimed.
    assert_eq!(told, f64::INFINITY);
}
