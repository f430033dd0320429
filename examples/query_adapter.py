"""Train a query adapter on a folder of the BEIR layout, and search with it.

pip install -c constraints.txt -e ".[st]"
python examples/query_adapter.py --data FOLDER --embedder st:sentence-transformers/all-MiniLM-L6-v2
"""

from pathlib import Path

import tyro

from agents import LLMAR, AlgorithmConfig, Config, DataConfig, RunConfig, TaskConfig


def main(
    data: str = "phrasebook:en",
    embedder: str | None = None,
    reward: str = "ndcg_at_10",
    seconds: float = 60.0,
    query: str | None = None,
    folder: Path | None = None,
) -> tuple[float, float]:
    """Train, search, and hand vectors to a database.

    Args:
        data: folder with corpus.jsonl, queries.jsonl and qrels.
        embedder: the frozen model whose vectors the index has; by default word vectors.
        reward: the measure to train on; it needs no gradient.
        seconds: duration of the training.
        query: what to search for; by default one that the training has not seen.
        folder: where to save the model.

    Returns:
        nDCG@10 of the embedder as it is, and with the adapter, on "test" or else "valid".
    """
    config = Config(
        data=DataConfig(data=data, embedder=embedder),
        task=TaskConfig(env="LLMAR/Retrieve-v0", reward=reward),
        algorithm=AlgorithmConfig(time_limit=seconds),
        run=RunConfig(supervised=False),
    )
    llmar = LLMAR(config)
    trained = llmar.train()
    split = "test" if "test" in trained.scores else "valid"
    before, after = (trained.scores[split][one].ndcg_at_10 for one in ("identity", "trained"))
    print(f"nDCG@10 on {split}: {before:.3f} as it is, {after:.3f} with the adapter")

    assert llmar.corpus is not None
    query = query or llmar.corpus.sources[llmar.corpus.rows(split)[0]]
    print(query)
    for hit in llmar.search(query, k=3):
        print(f"  {hit.score:.3f}  {hit.text}")
    # Any database whose vectors the embedder has made can be searched with these.
    print("vector of the query:", llmar.encode(query).shape)
    if folder is not None:
        llmar.save(folder)
    return before, after


if __name__ == "__main__":
    tyro.cli(main)
