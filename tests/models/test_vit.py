"""The backbone against timm, against itself, and against Table 1."""

import re
from dataclasses import replace

import pytest
import torch
from timm.models.vision_transformer import VisionTransformer as TimmTransformer

from eartheye.errors import InvalidConfig
from models.vit import SIZES, VisionTransformer, VitSpec

TINY = VitSpec(layers=3, dim=48, mlp_dim=96, heads=3, layer_scale=None)


def shaken(network):
    """Weights far from their initial values, so that no layer can hide behind a factor near zero."""
    torch.manual_seed(7)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return network.eval()


def timm_twin(spec, image_size):
    return TimmTransformer(
        img_size=image_size,
        patch_size=spec.patch_size,
        in_chans=spec.in_channels,
        embed_dim=spec.dim,
        depth=spec.layers,
        num_heads=spec.heads,
        mlp_ratio=spec.mlp_dim / spec.dim,
        init_values=spec.layer_scale,
        reg_tokens=spec.registers,
        no_embed_class=bool(spec.registers),
        dynamic_img_size=True,
        num_classes=0,
    )


SPECS = {
    "plain": TINY,
    "layer scale": replace(TINY, layer_scale=1e-5),
    "registers": replace(TINY, registers=4, layer_scale=0.1),
    "four bands": replace(TINY, in_channels=4, patch_size=16),
    "small of Table 1": replace(SIZES["small"], layers=4),
}


@pytest.mark.parametrize("name", SPECS)
def test_weights_of_timm_give_timms_features(name):
    spec = SPECS[name]
    theirs = shaken(timm_twin(spec, 5 * spec.patch_size))
    ours = VisionTransformer(spec, 5 * spec.patch_size).eval()
    assert ours.load_state_dict(theirs.state_dict(), strict=False).missing_keys == ["mask_token"]
    for rows, columns in [(5, 5), (3, 3), (8, 8), (4, 7)]:
        images = torch.randn(2, spec.in_channels, rows * spec.patch_size, columns * spec.patch_size)
        with torch.no_grad():
            expected, tokens = theirs.forward_features(images), ours(images)
        torch.testing.assert_close(tokens.cls, expected[:, 0], atol=2e-5, rtol=1e-4)
        torch.testing.assert_close(tokens.patches, expected[:, 1 + spec.registers :], atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("name", SPECS)
def test_our_weights_load_into_timm(name):
    spec = SPECS[name]
    ours, theirs = shaken(VisionTransformer(spec, 4 * spec.patch_size)), timm_twin(spec, 4 * spec.patch_size).eval()
    loaded = theirs.load_state_dict(ours.state_dict(), strict=False)
    assert loaded.missing_keys == []
    assert loaded.unexpected_keys == ["mask_token"]
    images = torch.randn(2, spec.in_channels, 4 * spec.patch_size, 4 * spec.patch_size)
    with torch.no_grad():
        torch.testing.assert_close(ours(images).cls, theirs.forward_features(images)[:, 0], atol=2e-5, rtol=1e-4)


def parameters_millions(size):
    with torch.device("meta"):
        network = VisionTransformer(SIZES[size], 224)
    return sum(parameter.numel() for parameter in network.parameters()) / 1e6


@pytest.mark.parametrize(("size", "printed"), [("small", 22), ("base", 86), ("large", 307), ("huge", 632)])
def test_parameters_are_those_of_table_1(size, printed):
    assert parameters_millions(size) == pytest.approx(printed, rel=0.02)


def test_giant_has_the_1100_million_parameters_of_table_1_to_the_two_digits_printed():
    assert round(parameters_millions("giant"), -2) == 1100


def test_views_together_equal_views_alone():
    network = shaken(VisionTransformer(replace(TINY, registers=2), 56))
    views = [torch.randn(2, 3, 56, 56), torch.randn(5, 3, 28, 28), torch.randn(1, 3, 28, 70)]
    masks = [torch.rand(2, 16) < 0.4, None, torch.rand(1, 10) < 0.4]
    with torch.no_grad():
        together = network.forward_views(views, masks)
        alone = [network(images, mask) for images, mask in zip(views, masks, strict=True)]
    for ours, expected in zip(together, alone, strict=True):
        torch.testing.assert_close(ours.cls, expected.cls, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(ours.patches, expected.patches, atol=1e-5, rtol=1e-5)


def test_gradients_of_views_together_equal_the_sum_of_views_alone():
    network = shaken(VisionTransformer(TINY, 56))
    views = [torch.randn(2, 3, 56, 56), torch.randn(3, 3, 28, 28)]
    sum(tokens.cls.square().sum() for tokens in network.forward_views(views)).backward()
    together = network.blocks[0].attn.qkv.weight.grad.clone()
    network.zero_grad()
    sum(network(images).cls.square().sum() for images in views).backward()
    torch.testing.assert_close(together, network.blocks[0].attn.qkv.weight.grad, atol=1e-3, rtol=1e-4)


def test_a_masked_patch_is_not_seen():
    network = shaken(VisionTransformer(TINY, 56))
    images, masks = torch.randn(2, 3, 56, 56), torch.zeros(2, 16, dtype=torch.bool)
    masks[0, 5] = True
    other = images.clone()
    other[0, :, 14:28, 14:28] = 9.0  # patch 5 of a 4 x 4 grid
    with torch.no_grad():
        torch.testing.assert_close(network(images, masks), network(other, masks))
        assert not torch.allclose(network(images).cls[0], network(other).cls[0])


def test_a_mask_changes_its_own_image_alone():
    network = shaken(VisionTransformer(TINY, 56))
    images, masks = torch.randn(2, 3, 56, 56), torch.zeros(2, 16, dtype=torch.bool)
    masks[0, :4] = True
    with torch.no_grad():
        masked, plain = network(images, masks), network(images)
        nothing_masked = network(images, torch.zeros_like(masks))
    assert not torch.allclose(masked.cls[0], plain.cls[0])
    torch.testing.assert_close(masked.cls[1], plain.cls[1])
    torch.testing.assert_close(nothing_masked, plain)


def test_the_mask_token_stands_in_before_the_position_is_added():
    network = shaken(VisionTransformer(TINY, 56))
    masks = torch.ones(1, 16, dtype=torch.bool)
    with torch.no_grad():
        embedded = network.embed(torch.randn(1, 3, 56, 56), masks)
    torch.testing.assert_close(embedded[:, 1:], network.mask_token + network.pos_embed[:, 1:])


def test_the_last_intermediate_map_is_the_output():
    network = shaken(VisionTransformer(TINY, 56))
    images = torch.randn(2, 3, 42, 56)
    with torch.no_grad():
        first, last = network.intermediate(images, [0, 2])
        patches = network(images).patches
    assert first.shape == last.shape == (2, 48, 3, 4)
    torch.testing.assert_close(last.flatten(2).transpose(1, 2), patches)
    assert not torch.allclose(first, last)


@pytest.mark.parametrize(("layers", "expected"), [(4, (0, 1, 2, 3)), (6, (1, 2, 4, 5)), (12, (2, 5, 8, 11))])
def test_pyramid_layers_are_evenly_spaced_and_end_at_the_last(layers, expected):
    assert replace(TINY, layers=layers).pyramid_layers == expected


def test_a_resized_network_gives_the_same_features_without_interpolation():
    network = shaken(VisionTransformer(TINY, 56))
    resized = network.resized(84)
    images = torch.randn(1, 3, 84, 84)
    assert resized.pos_embed.shape == (1, 37, 48)
    assert network.pos_embed.shape == (1, 17, 48)
    with torch.no_grad():
        torch.testing.assert_close(resized(images), network(images))


def test_images_that_do_not_divide_into_patches_are_refused():
    with pytest.raises(InvalidConfig, match=re.escape("60 x 56 px do not divide into patches of 14 px")):
        VisionTransformer(TINY, 56)(torch.randn(1, 3, 60, 56))
    with pytest.raises(InvalidConfig):
        VisionTransformer(TINY, 500)


def test_every_parameter_is_set_after_to_empty():
    with torch.device("meta"):
        network = VisionTransformer(replace(TINY, registers=1, layer_scale=1e-5), 56)
    network.to_empty(device="cpu")
    for parameter in network.parameters():
        parameter.data.fill_(float("nan"))
    network.init_weights()
    assert all(parameter.isfinite().all() for parameter in network.parameters())
