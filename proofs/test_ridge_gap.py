"""The ridge of the papers reads labels: an instance where a certificate fails for the pipeline."""

import numpy as np

from certaudit.certify.label_flip import certify_label_flip


def instance():
    """Two columns, ones and a tiny one orthogonal to them: X'X has condition number 10^10.

    With all labels 1 the fit is perfect, the residual variance 0, and so is the ridge. One flipped
    label makes the variance 1/16, the ridge 10^6 times the diagonal of X'X, and every score 0.
    """
    n = 16
    tiny = np.array([1.0, -1.0] * (n // 2)) * 1e-5
    return np.column_stack([np.ones(n), tiny]), np.ones(n, dtype=int)


def certify(labels, ridge):
    rows, _ = instance()
    run = certify_label_flip(
        rows, labels, [[1.0, 0.0]], [1], q="0.1", ridge=ridge, scale="none", intercept=False
    )
    return run.certificates[0], run


def test_one_flip_changes_the_vote_of_the_papers_pipeline():
    _, labels = instance()
    certificate, run = certify(labels, "paper")
    assert certificate.decided
    assert certificate.prediction == 1
    assert certificate.kl_radius >= 1
    assert [f.kind.code for f in run.findings() if f.kind.code == "CA201"] == ["CA201"]

    flipped = labels.copy()
    flipped[0] = 0
    after, _ = certify(flipped, "paper")
    assert after.decided
    assert after.prediction == 0  # one flip, and the radius was at least 1
    assert after.constant


def test_at_fixed_ridge_the_certificate_holds():
    _, labels = instance()
    _, run = certify(labels, "paper")
    flipped = labels.copy()
    flipped[0] = 0
    ridge = run.ridge.value
    after, _ = certify(flipped, f"{ridge.numerator}/{ridge.denominator}")
    assert after.decided
    assert after.prediction == 1


def test_auto_reads_no_label():
    _, labels = instance()
    one = certify(labels, "auto")[1]
    two = certify(1 - labels, "auto")[1]
    assert one.ridge == two.ridge
    assert not one.ridge.reads_labels
