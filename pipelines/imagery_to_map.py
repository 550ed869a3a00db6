"""From imagery to maps: the whole chain as one Kubeflow pipeline."""

from kfp import dsl

from components.curator.component import curator
from components.evaluator.component import backbone_evaluator, task_evaluator
from components.exporter.component import exporter
from components.finetuner.component import finetuner
from components.pretrainer.component import pretrainer
from components.sampler.component import aggregator, sampler
from components.tiler.component import tiler
from pipelines.steps import mapping, promotion, registration


@dsl.pipeline(name="imagery-to-map", description="Sample, tile, curate, pretrain, fine-tune, evaluate, export, register, promote, map.")
def imagery_to_map(
    data: str,
    catalogue: str,
    root: str,
    samplings: list,
    tiler_config: dict,
    curator_config: dict,
    pretrainer_config: dict,
    evaluator_config: dict,
    heads: list,
    maps: list,
) -> None:
    """Wire the steps; every folder lies under `root`, and a folder that is finished is not made again.

    Args:
        data: folder of the data.
        catalogue: path of its catalogue.
        root: folder that takes the steps' folders.
        samplings: drawings of sites; tiles are cut at those of the one titled `tiles`.
        tiler_config: of the tiler.
        curator_config: of the curator.
        pretrainer_config: of the pretrainer.
        evaluator_config: of the backbone's evaluation.
        heads: the tasks, each with its finetuner, evaluator and exporter.
        maps: the maps to make with the promoted models.
    """
    with dsl.ParallelFor(samplings, name="samplings", parallelism=1) as sampling:
        described = aggregator(data=data, catalogue=catalogue, config=sampling.cells, cells=f"{root}/sampling/{sampling.title}/cells")
        drawn = sampler(cells=described.output, config=sampling.sampler, sites=f"{root}/sampling/{sampling.title}/sites")

    cut = tiler(data=data, catalogue=catalogue, sites=f"{root}/sampling/tiles/sites", config=tiler_config, tiles=f"{root}/tiles").after(
        drawn
    )
    kept = curator(tiles=cut.output, config=curator_config, curated=f"{root}/curated")
    backbone = pretrainer(
        tiles=cut.output, curated=kept.output, config=pretrainer_config, checkpoint=f"{root}/checkpoint", backbone=f"{root}/backbone"
    )
    backbone_evaluator(tiles=cut.output, backbone=backbone.output, config=evaluator_config, report=f"{root}/backbone-report")

    with dsl.ParallelFor(heads, name="heads", parallelism=1) as head:
        folder = f"{root}/heads/{head.title}"
        model = finetuner(tiles=cut.output, backbone=backbone.output, config=head.finetuner, model=f"{folder}/model")
        report = task_evaluator(tiles=cut.output, model=model.output, config=head.evaluator, report=f"{folder}/report")
        serving = exporter(model=model.output, tiles=cut.output, config=head.exporter, serving=f"{folder}/serving")
        candidate = registration(name=head.title, model=model.output, serving=serving.output, report=report.output)
        decision = promotion(name=head.title, version=candidate.output)

    with dsl.ParallelFor(maps, name="maps", parallelism=1) as wanted:
        mapping(data=data, root=root, wanted=wanted).after(decision)
