from severstal_xai.manifest import Manifest, read_manifest


def test_a_manifest_that_is_written_is_read_back_equal(made_data: Manifest) -> None:
    assert read_manifest(made_data.root) == made_data
