from vqspeech.evaluation.selection import by_hash


def test_order_by_hash_does_not_depend_on_the_order_given():
    names = [f"p225_{number:03}" for number in range(50)]
    assert by_hash(names) == by_hash(reversed(names))
    assert by_hash(names) != names
    assert sorted(by_hash(names)) == names


def test_the_order_is_that_of_sha256():
    # printf a | sha256sum: ca978112...; b: 3e23e816...; c: 2e7d2c03...
    assert by_hash("abc") == ["c", "b", "a"]


def test_another_salt_gives_another_order():
    assert by_hash(map(str, range(50)), salt="x ") != by_hash(map(str, range(50)))
