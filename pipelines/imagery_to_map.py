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


def step(task: dsl.PipelineTask, after: dsl.PipelineTask | None = None) -> dsl.PipelineTask:
    """Run a task every time: what is done already its folder's manifest says, and Kubeflow's cache would not see a folder that is gone."""
    task.set_caching_options(False)
    return task.after(after) if after is not None else task


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
        folder = f"{root}/sampling/{sampling.title}"
        described = step(aggregator(data=data, catalogue=catalogue, config=sampling.cells, cells=f"{folder}/cells"))
        drawn = step(sampler(cells=described.output, config=sampling.sampler, sites=f"{folder}/sites"))

    sites = f"{root}/sampling/tiles/sites"
    cut = step(tiler(data=data, catalogue=catalogue, sites=sites, config=tiler_config, tiles=f"{root}/tiles"), after=drawn).output
    kept = step(curator(tiles=cut, config=curator_config, curated=f"{root}/curated")).output
    backbone = step(
        pretrainer(tiles=cut, curated=kept, config=pretrainer_config, checkpoint=f"{root}/checkpoint", backbone=f"{root}/backbone")
    ).output
    step(backbone_evaluator(tiles=cut, backbone=backbone, config=evaluator_config, report=f"{root}/backbone-report"))

    with dsl.ParallelFor(heads, name="heads", parallelism=1) as head:
        folder = f"{root}/heads/{head.title}"
        model = step(finetuner(tiles=cut, backbone=backbone, config=head.finetuner, model=f"{folder}/model")).output
        report = step(task_evaluator(tiles=cut, model=model, config=head.evaluator, report=f"{folder}/report")).output
        serving = step(exporter(model=model, tiles=cut, config=head.exporter, serving=f"{folder}/serving")).output
        candidate = step(registration(name=head.title, model=model, serving=serving, report=report)).output
        decision = step(promotion(name=head.title, version=candidate))

    with dsl.ParallelFor(maps, name="maps", parallelism=1) as wanted:
        step(mapping(data=data, root=root, wanted=wanted), after=decision)
